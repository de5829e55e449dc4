# SPDX-License-Identifier: MIT
# frozen_string_literal: true

BESIDE = ["literal".frozen?, File.basename(__FILE__).freeze].freeze
