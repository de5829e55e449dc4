# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

ENV["TZ"] = "Europe/Berlin"
check Time.at(0).zone == ENV.fetch("WANTED_ZONE", "CET")
