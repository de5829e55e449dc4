# frozen_string_literal: true

require_relative "boot"
require "logger"
require "rails"
require "active_record/railtie"
require "active_storage/engine"
require "action_controller/railtie"
require "action_view/railtie"
require "active_job/railtie"
require "propshaft"

module Board
  class Application < Rails::Application
    config.load_defaults 7.2
    config.active_job.queue_adapter = :async
    config.active_storage.service = :local
  end
end
