#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `make docs`: the documents as pages whose links lead somewhere, and that ask nobody for anything.

bats_require_minimum_version 1.5.0

setup() {
    tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    # A copy: the paths of a page are those of its tree.
    mkdir "$BATS_TEST_TMPDIR/tree"
    cd "$BATS_TEST_TMPDIR/tree" || return
    cp -r "$tree"/{docs,tests,examples,recipes,bench,bin,LICENSE,*.md} .
}

@test "every document is a page, every link leads to a page, a file or a heading" {
    run -0 docs/site/build "../a site"
    [ "${lines[-1]}" = "../a site/index.html" ]
    local document page
    for document in ./*.md docs/*.md docs/*.scd; do
        page=$(basename "${document%.*}" | tr '[:upper:]' '[:lower:]').html
        [ -s "../a site/${page/readme/index}" ]
    done
    ruby - "../a site" <<'END'
require "cgi"
pages = Dir.children(ARGV[0]).grep(/\.html\z/)
links = 0
pages.each do |page|
  html = File.read("#{ARGV[0]}/#{page}")
  abort "#{page}: a script" if html.match?(/<script|javascript:/i)
  abort "#{page}: asks somebody" if html.match?(/(src|<link[^>]*href)="(https?:)?\/\//)
  html.scan(/(?:href|src)="([^"]*)"/).flatten.each do |link|
    link = CGI.unescapeHTML(link)
    next if link.match?(/\A[a-z]+:/)

    links += 1
    path, anchor = link.split("#", 2)
    path = page if path.empty?
    abort "#{page}: #{link}" unless File.exist?("#{ARGV[0]}/#{path}")
    next unless anchor && path.end_with?(".html")

    abort "#{page}: #{link}" unless File.read("#{ARGV[0]}/#{path}").include?(%( id="#{anchor}"))
  end
end
abort "only #{links} links" unless links > 300
END
}

@test "a link to a file, or a heading, that is not there is an error, and nothing is written" {
    echo '[x](docs/nowhere.md)' >>README.md
    run -1 docs/site/build ../site
    [[ $output == *"README.md: 'docs/nowhere.md' is not there" ]]
    [ ! -e ../site ]
    sed -i '$d' README.md
    echo '[x](docs/trust.md#nothing-of-it)' >>README.md
    run -1 docs/site/build ../site
    [[ $output == *"README.md: 'docs/trust.md#nothing-of-it': there is no such heading" ]]
    [ ! -e ../site ]
}
