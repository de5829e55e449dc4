#!/usr/bin/env ruby
# frozen_string_literal: true

# Turns notes in Markdown into a page: report.rb FILE...   or: report.rb < FILE
require "bundler/inline"

gemfile do
  source Gem.sources.first.uri.to_s
  gem "kramdown", "~> 2.5"
end

puts DATA.read.sub("BODY") { Kramdown::Document.new(ARGF.read).to_html }

__END__
<!DOCTYPE html>
<meta charset="utf-8">
BODY
