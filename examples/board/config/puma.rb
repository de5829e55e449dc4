# frozen_string_literal: true

port ENV.fetch("PORT", 3000)
threads 3, 3
