# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What irb finds for rdoc, which is not packed, as no documentation is: a driver that finds none.
# The gem rdoc, where an application has it, comes before this.

module RDoc
  class Error < RuntimeError; end

  module RI
    class Error < RDoc::Error; end

    class Driver
      class NotFoundError < Error
        alias name message

        def message
          "Nothing known about #{name}"
        end
      end

      def self.process_args(*)
        {}
      end

      def initialize(*); end

      %i[display_name display_names display_class display_method expand_class expand_name add_method
         class_document method_document].each do |name|
        define_method(name) { |*arguments| raise NotFoundError, arguments.flatten.last.to_s }
      end

      def interactive
        puts "no documentation is packed"
      end
    end
  end
end
