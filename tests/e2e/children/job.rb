# SPDX-License-Identifier: MIT

require "sidekiq"

class Job
  include Sidekiq::Job

  def perform(path, word)
    File.write(path, "#{word} by #{RUBY_VERSION}")
  end
end
