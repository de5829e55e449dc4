# frozen_string_literal: true

Rails.application.routes.draw do
  get "up" => "rails/health#show", as: :rails_health_check
  resources :notes, only: %i[index show create destroy]
  root "notes#index"
end
