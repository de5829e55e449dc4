# frozen_string_literal: true

require "nokogiri"

# What is in a page: its links, its headings, or its words but for the common ones of data/common.txt.
module Report
  COMMON = File.readlines(File.expand_path("../data/common.txt", __dir__), chomp: true).freeze

  module_function

  def run(arguments)
    command, file = arguments
    return usage unless %w[links headings words].include?(command) && arguments.size <= 2

    page = Nokogiri::HTML(file ? File.read(file) : $stdin.read)
    puts public_send(command, page)
    0
  rescue SystemCallError => e
    warn "report: #{e.message}"
    1
  end

  def usage
    warn "usage: report links|headings|words [FILE]"
    2
  end

  def links(page)
    page.css("a[href]").map { |link| link["href"] }
  end

  def headings(page)
    page.css("h1, h2, h3").map { |heading| "#{"#" * heading.name[1].to_i} #{heading.text.strip}" }
  end

  def words(page)
    counts = page.text.downcase.scan(/[[:alpha:]]+/).tally.except(*COMMON)
    counts.sort_by { |word, count| [-count, word] }.first(10).map { |word, count| "#{count} #{word}" }
  end
end
