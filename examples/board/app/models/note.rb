# frozen_string_literal: true

class Note < ActiveRecord::Base
  has_one_attached :picture
  validates :text, presence: true
  after_create_commit { CountJob.perform_later(self) }
end
