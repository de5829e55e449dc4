# frozen_string_literal: true
# SPDX-License-Identifier: MIT

# Serves what report.rb finds.
require_relative "report"

run lambda { |env|
  body = env["PATH_INFO"] == "/up" ? "ok" : Report.values.map { |name, value| "#{name}: #{value}\n" }.join
  [200, { "content-type" => "text/plain" }, [body]]
}
