# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Stands for each library of Ruby that a slim bundle does without.

dir = $LOAD_PATH.map(&:to_s).select { |path| __FILE__.start_with?("#{path}/") }.max_by(&:length)
feature = __FILE__.delete_prefix("#{dir}/").delete_suffix(".rb")
error = LoadError.new("cannot load such file -- #{feature} (slim: nothing named it when this bundle was " \
                      "built; to have it, build with --keep ruby/#{feature[%r{\A[^/]*}]})")
error.instance_variable_set(:@path, feature)
raise error
