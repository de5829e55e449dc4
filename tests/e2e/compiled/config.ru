# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative "lib/looks"

APP = __dir__
run ->(_env) { [200, { "content-type" => "text/plain" }, [Looks.report(APP)]] }
