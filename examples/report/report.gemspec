# frozen_string_literal: true

Gem::Specification.new do |s|
  s.name = "report"
  s.version = "1.0.0"
  s.summary = "Says what is in a page"
  s.authors = ["The authors of Rucksack"]
  s.license = "MIT"
  s.files = Dir["{exe,lib,data}/**/*"]
  s.bindir = "exe"
  s.executables = ["report"]
  s.add_dependency "nokogiri"
end
