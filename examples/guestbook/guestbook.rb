# frozen_string_literal: true

require "bundler/setup"
require "json"
require "sinatra/base"

require_relative "lib/entries"

# A guestbook: visitors leave a name and a line.
class Guestbook < Sinatra::Base
  set :root, __dir__
  set :entries, Entries.new(ENV.fetch("DATABASE", File.join(__dir__, "data", "guestbook.sqlite3")))
  set :host_authorization, permitted_hosts: []

  helpers do
    def h(text)
      Rack::Utils.escape_html(text)
    end
  end

  get "/" do
    @entries = settings.entries.latest(50)
    erb :index
  end

  post "/entries" do
    name = params.fetch("name", "").strip
    text = params.fetch("text", "").strip
    halt 422, "A name and a text, please." if name.empty? || text.empty?

    settings.entries.add(name[0, 80], text[0, 1000])
    redirect "/", 303
  end

  get "/entries.json" do
    content_type :json
    JSON.generate(settings.entries.latest(50))
  end

  get "/up" do
    settings.entries.count
    content_type :text
    "ok\n"
  end
end
