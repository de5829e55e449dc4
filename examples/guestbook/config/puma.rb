# frozen_string_literal: true

port ENV.fetch("PORT", 9292)
