# frozen_string_literal: true
# SPDX-License-Identifier: MIT

require_relative "call"

sasl = Fiddle.dlopen("libsasl2.so.2")
call(sasl, "sasl_client_init", [P], I, nil)
list = call(sasl, "sasl_global_listmech", [], P)
names = list.null? ? [] : (0..).lazy.map { |i| list[i * 8, 8].unpack1("J") }.take_while(&:positive?)
                                .map { |at| Fiddle::Pointer.new(at).to_s }.to_a
check names.include?("PLAIN") && names.include?("SCRAM-SHA-256")
