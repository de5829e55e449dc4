#!/usr/bin/env ruby
# frozen_string_literal: true
# SPDX-License-Identifier: MIT
# The page of `rucksack inspect --html` in a headless Chromium, as its users meet it: by eye, by keyboard,
# by name; in light and dark, wide and narrow. TAP; make check-html.

require "io/wait"
require "socket"
require_relative "browser"
require_relative "picture"
require "fileutils"

RUCKSACK = "#{ENV.fetch("RUCKSACK_BUILD")}/rucksack"
BUNDLE = "#{ENV.fetch("RUCKSACK_BUILD")}/guestbook.AppImage"
TOP = File.expand_path("../..", __dir__)
WORK = Dir.mktmpdir("rucksack-page")
at_exit { FileUtils.remove_entry(WORK) }

# ---- TAP ----

@number = 0
@failed = 0

def test(name)
  @number += 1
  told = yield
  puts "ok #{@number} #{name}#{" # #{told}" if told.is_a?(String)}"
rescue StandardError => e
  @failed += 1
  puts "not ok #{@number} #{name}", "#{e.message}\n#{e.backtrace.grep(/page\.rb/).first}".gsub(/^/, "# ")
ensure
  $stdout.flush
end

def assert(truth, message = "not so") = truth || raise(message)
def same(expected, actual, what = "value") = assert(expected == actual, "#{what}: expected #{expected.inspect}, got #{actual.inspect}")

# ---- what the page is asked ----

CELLS = <<~JS
  const box = document.getElementById("treemap").getBoundingClientRect();
  return [...document.querySelectorAll("#treemap button")].map((cell) => {
    const r = cell.getBoundingClientRect();
    const label = cell.firstChild;
    return {name: label.textContent.split("\\n")[0], x: r.x - box.x, y: r.y - box.y, width: r.width, height: r.height,
      left: r.x, top: r.y, box: box.width * box.height, tab: cell.tabIndex, small: cell.className.includes("small"),
      dim: Number(getComputedStyle(cell).opacity) < 1, color: getComputedStyle(label).backgroundColor};
  });
JS

FOCUS = <<~JS
  const one = document.activeElement;
  const style = getComputedStyle(one);
  return {tag: one.tagName, id: one.id, text: (one.getAttribute("aria-label") || one.textContent || "").trim(),
    inside: one.closest("section")?.id || one.parentElement?.id || "", outline: style.outlineStyle,
    width: parseFloat(style.outlineWidth)};
JS

# Each visible text with its colour and the opaque one behind it; WCAG 2.1, 1.4.3.
CONTRAST = <<~JS
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    const r = one.getBoundingClientRect();
    if (node.textContent.trim() === "" || r.width < 1 || one.closest("script, style, .skip") || getComputedStyle(one).visibility !== "visible")
      continue;
    let behind = one;
    while (behind && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
    const a = light(parse(getComputedStyle(one).color));
    const b = light(parse(getComputedStyle(behind ?? document.body).backgroundColor));
    found.push({text: node.textContent.trim().slice(0, 30), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)});
  }
  return found;
JS

# Whatever a mouse could use, by what it is called; one of a group that is one stop.
REACHABLE = <<~JS
  const named = (one) => one.tagName + " " + (one.id || one.getAttribute("aria-label") || one.textContent).trim();
  return [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility() && one.tabIndex >= 0 && !(one.type === "radio" && !one.checked)).map(named);
JS
STOP = 'const one = document.activeElement; return one === document.body ? null : one.tagName + " " + (one.id || one.getAttribute("aria-label") || one.textContent).trim();'

def rows(browser) = browser.run('return [...document.querySelectorAll("#table tbody tr")].filter((r) => !r.hidden).map((r) => r.cells[0].textContent);')

def search(browser, words)
  browser.run('document.getElementById("search").focus(); document.getElementById("search").select();')
  browser.press(:back, words)
end

def proportional(cells, weights)
  total = weights.values.sum.to_f
  cells.each do |cell|
    area = cell["width"] * cell["height"]
    share = cell["box"] * weights.fetch(cell["name"]) / total
    assert((area - share).abs <= 0.02 * share + 2, "#{cell["name"]}: #{area} pixels instead of #{share}")
  end
end

def lowest_contrast(browser)
  found = browser.run(CONTRAST)
  assert(found.size > 100, "only #{found.size} texts")
  worst = found.min_by { |one| one["ratio"] }
  assert(worst["ratio"] >= 4.5, "#{worst["text"]}: #{worst["ratio"]}")
  format("%.2f, %d texts", worst["ratio"], found.size)
end

def compare_pixels(browser)
  browser.run("document.getElementById('size').scrollIntoView();")
  picture = Picture.read(browser.screenshot)
  cells = browser.run(CELLS).select { |cell| cell["width"] > 30 && cell["height"] > 30 }
  seen = cells.select { |cell| cell["top"] >= 0 && cell["top"] + cell["height"] < picture.height }
  assert(seen.size >= 8, "only #{seen.size} cells are in the picture")
  seen.each do |cell|
    # Right of the middle, at the bottom: there is no text.
    at = [(cell["left"] + cell["width"] - 6).round, (cell["top"] + cell["height"] - 6).round]
    same(cell["color"].scan(/\d+/).map(&:to_i).first(3), picture.pixel(*at), cell["name"])
  end
  "#{seen.size} cells"
end

def page_of(bundle, name)
  file = "#{WORK}/#{name}.html"
  system(RUCKSACK, "inspect", "--html", file, bundle, exception: true)
  file
end

# ---- tests ----

page = page_of(BUNDLE, "guestbook")
data = JSON.parse(IO.popen([RUCKSACK, "inspect", "--json", BUNDLE], &:read))
sizes = data["sizes"]
objects = data["objects"]

Browser.open do |browser|
  browser.resize(1200, 900)
  browser.prefer("light")
  browser.visit(page)

  test "the page asks for nothing but itself, and the browser has no complaint" do
    same(["file://#{page}"], browser.requests.uniq)
    same([], browser.complaints)
  end

  test "the treemap: a cell for each component, areas as the sizes, no gap and no overlap" do
    weights = sizes.reject { |one| one["packed"].zero? }.to_h { |one| [one["name"], one["packed"]] }
    cells = browser.run(CELLS)
    same(weights.keys.sort, cells.map { |cell| cell["name"] }.sort)
    proportional(cells, weights)
    assert((cells.sum { |cell| cell["width"] * cell["height"] } / cells[0]["box"] - 1).abs < 0.005, "gaps")
    cells.combination(2) do |a, b|
      wide = [a["x"] + a["width"], b["x"] + b["width"]].min - [a["x"], b["x"]].max
      high = [a["y"] + a["height"], b["y"] + b["height"]].min - [a["y"], b["y"]].max
      assert(wide < 0.1 || high < 0.1, "#{a["name"]} and #{b["name"]} overlap")
    end
    "#{cells.size} cells"
  end

  test "the switch: areas as the unpacked sizes" do
    browser.click("input[value=bytes]")
    proportional(browser.run(CELLS), sizes.reject { |one| one["bytes"].zero? }.to_h { |one| [one["name"], one["bytes"]] })
    browser.click("input[value=packed]")
  end

  test "search: table, treemap, objects and start show what is typed" do
    search(browser, "sqlite")
    wanted = rows(browser)
    assert(wanted.size.between?(1, sizes.size / 2) && wanted.include?("libsqlite3.so.0"), wanted.inspect)
    same(browser.run(CELLS).map { |cell| cell["name"] }.sort - wanted, browser.run(CELLS).select { |cell| cell["dim"] }.map { |cell| cell["name"] }.sort)
    same("#{wanted.size} of #{sizes.size} components", browser.run('return document.getElementById("found").textContent;'))
    listed = browser.run('return [...document.querySelectorAll("#objects li")].filter((li) => !li.hidden).map((li) => li.textContent);')
    assert(listed.any? && listed.all?(/sqlite/) && listed.size < objects.size, listed.inspect)
    files = browser.run('return [...document.querySelectorAll("#timeline tbody th")].map((th) => th.textContent);')
    assert(files.any? && files.all?(/sqlite/), files.inspect)
    search(browser, "no such thing")
    same([], rows(browser))
    search(browser, "")
    same(sizes.size, rows(browser).size)
    "#{wanted.size} rows for 'sqlite'"
  end

  test "the table is sorted by its headings, with the keyboard" do
    same(sizes.map { |one| one["name"] }, rows(browser))
    browser.run('document.querySelectorAll("#table thead button")[0].focus();')
    browser.press(:enter)
    same(browser.run("return arguments[0].sort((a, b) => a.localeCompare(b));", sizes.map { |one| one["name"] }), rows(browser))
    same("ascending", browser.run('return document.querySelectorAll("#table thead th")[0].getAttribute("aria-sort");'))
    first = rows(browser)
    browser.press(:enter)
    same(first.reverse, rows(browser))
    browser.run('document.querySelectorAll("#table thead button")[5].focus();')
    browser.press(:enter)
    assert(sizes.map { |one| one["files"] }.max == sizes.find { |one| one["name"] == rows(browser)[0] }["files"])
  end

  test "Tab reaches everything, forwards and backwards, and the focus is seen" do
    browser.visit(page)
    expected = browser.run(REACHABLE)
    stops = []
    until stops.size > 400
      browser.press(:tab)
      stop = browser.run(STOP)
      break if stop.nil?

      focus = browser.run(FOCUS)
      assert(focus["outline"] != "none" && focus["width"] >= 2, "#{stop}: no outline")
      stops << stop
    end
    same([], expected - stops, "not reached")
    same([], stops - expected, "more than expected")
    back = []
    5.times do
      browser.press_with_shift(:tab)
      back << browser.run(STOP)
    end
    assert(back.compact.all? { |one| stops.include?(one) } && back.compact.size >= 4, back.inspect)
    "#{stops.size} stops"
  end

  test "the treemap by arrows, Home, End and Enter" do
    browser.run('document.querySelector("#treemap [tabindex=\'0\']").focus();')
    browser.press(:home)
    heaviest = sizes.max_by { |one| one["packed"] }["name"]
    assert(browser.run(FOCUS)["text"].start_with?("#{heaviest}, "))
    browser.press(:end)
    lightest = browser.run(FOCUS)["text"]
    assert(lightest != heaviest)
    cells = browser.run(CELLS).to_h { |cell| [cell["name"], cell] }
    {right: ["x", 1], left: ["x", -1], down: ["y", 1], up: ["y", -1]}.each do |key, (axis, sign)|
      browser.press(:home)
      start = cells.fetch(browser.run(FOCUS)["text"].split(", ")[0])
      # A corner has nothing on two sides; the opposite one first.
      browser.press({right: :left, left: :right, down: :up, up: :down}[key])
      from = cells.fetch(browser.run(FOCUS)["text"].split(", ")[0])
      browser.press(key)
      to = cells.fetch(browser.run(FOCUS)["text"].split(", ")[0])
      assert((to[axis] - from[axis]) * sign >= 0, "#{key}: from #{from["name"]} to #{to["name"]}, began at #{start["name"]}")
      assert(to["name"] != from["name"], "#{key} does not move")
    end
    same(1, browser.run(CELLS).count { |cell| cell["tab"].zero? }, "stops")
    # Along each row and column, all is reached: a walk over the neighbours.
    reached = browser.run(<<~JS)
      const box = document.getElementById("treemap");
      const seen = new Set([document.activeElement]);
      const queue = [document.activeElement];
      while (queue.length > 0) {
        const from = queue.shift();
        for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
          from.focus();
          box.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
          if (!seen.has(document.activeElement)) { seen.add(document.activeElement); queue.push(document.activeElement); }
        }
      }
      return seen.size;
    JS
    same(cells.size, reached, "reached by arrows")
    browser.press(:home, :enter)
    detail = browser.run('return document.getElementById("detail").textContent;')
    assert(detail.include?(heaviest) && detail.include?("There because: ") && detail.include?(" % of all"), detail)
  end

  test "'/' goes to the search" do
    browser.run('document.querySelector("#treemap button").focus();')
    browser.press("/")
    same("search", browser.run(FOCUS)["id"])
    same("", browser.run('return document.getElementById("search").value;'))
  end

  test "dependencies: both sides of each object, and the way to its root" do
    numbers = objects.each_index.to_h { |at| [at, objects.each_index.select { |from| from != at && objects[from]["needs"].include?(at) }] }
    edges = 0
    objects.each_with_index do |object, at|
      shown = browser.run(<<~JS, at.to_s)
        document.querySelector(`#objects button[data-index="${arguments[0]}"]`).click();
        document.querySelectorAll(".graph > div > button").forEach((more) => more.click());
        const texts = (what) => [...document.querySelectorAll(what)].map((one) => one.firstChild.textContent);
        return {users: texts(".users li button"), needs: texts(".needs li button"), way: texts(".chain button, .chain strong"),
          reasons: [...document.querySelectorAll(".users small")].map((one) => one.textContent),
          why: document.querySelector(".chain li").textContent, lines: document.querySelectorAll(".graph svg path").length};
      JS
      base = ->(name) { name.split("/").last }
      same(numbers[at].map { |from| base[objects[from]["name"]] }.sort, shown["users"].map(&base).sort, "users of #{object["name"]}")
      same(object["needs"].uniq.map { |to| base[objects[to]["name"]] }.sort, shown["needs"].map(&base).sort, "needs of #{object["name"]}")
      same(shown["users"].size + shown["needs"].size, shown["lines"], "lines")
      assert(shown["reasons"].all?("asks for #{object["name"]}"), shown["reasons"].inspect)
      # Each step of the way is an edge; it begins with what nobody needs, or a root.
      way = shown["way"].map(&base)
      same(base[object["name"]], way.last)
      assert(objects.any? { |one| base[one["name"]] == way[0] && one["reason"] == shown["why"] }, "#{way} #{shown["why"]}")
      way.each_cons(2) do |user, used|
        assert(objects.any? { |one| base[one["name"]] == user && one["needs"].any? { |to| base[objects[to]["name"]] == used } }, "#{user} does not need #{used}")
      end
      edges += shown["needs"].size
    end
    browser.run("document.querySelector('#objects button[data-index=\"' + arguments[0] + '\"]').click();", numbers.key(numbers.values.max_by(&:size)).to_s)
    browser.run('document.querySelector(".users li button").focus();')
    name = browser.run('return document.activeElement.firstChild.textContent;')
    browser.press(:enter)
    same(name.split("/").last, browser.run('return document.querySelector("#focus h3").textContent;'))
    same("focus", browser.run(FOCUS)["id"])
    "#{objects.size} objects, #{edges} edges"
  end

  test "the start: every file of the profile, and the sum of its bytes" do
    shown = browser.run(<<~JS)
      return {files: document.querySelectorAll("#timeline tbody tr").length, text: document.getElementById("start-text").textContent,
        bands: document.querySelectorAll("#chart rect").length, last: [...document.querySelectorAll("#timeline tbody tr")].pop().cells[4].textContent};
    JS
    system(RUCKSACK, "extract", "-o", "#{WORK}/root", BUNDLE, out: File::NULL, exception: true)
    records = File.readlines("#{WORK}/root/.rucksack/profile", chomp: true).drop(1).map { |line| line.split("\t") }
    sum = records.sum { |key, path| key == "read" ? File.size("#{WORK}/root/#{path}") : 0 }
    assert(records.size > 100)
    same(records.size, shown["files"])
    same(records.size, shown["bands"])
    same(format("%.1f MB", sum / 1e6), shown["last"])
    shown["text"][/opens.*?,|opens.*?:/]
  end

  test "everything that can be used has a role and a name" do
    roles = %w[button link textbox searchbox radio heading table region group image]
    nodes = browser.command("Accessibility.getFullAXTree").fetch("nodes").reject { |node| node["ignored"] }
    mute = nodes.select { |node| (roles - %w[group table]).include?(node.dig("role", "value")) && node.dig("name", "value").to_s.strip.empty? }
    same([], mute.map { |node| node["role"] })
    same([], roles.first(3) - nodes.map { |node| node.dig("role", "value") } - %w[textbox])
    # One h1, no level left out.
    levels = browser.run('return [...document.querySelectorAll("h1, h2, h3")].filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]));')
    same([1, 1], [levels.count(1), levels[0]])
    assert(levels.each_cons(2).all? { |a, b| b <= a + 1 }, levels.inspect)
  end

  colors = 'return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.querySelector("#treemap .ruby")).backgroundColor];'
  light = nil
  test "light: every text stands out" do
    light = browser.run(colors)
    lowest_contrast(browser)
  end

  test "dark: other colours, and every text stands out" do
    browser.prefer("dark")
    dark = browser.run(colors)
    assert(dark.zip(light).all? { |a, b| a != b }, "#{dark} #{light}")
    lowest_contrast(browser)
  end

  test "the button turns it, both ways" do
    browser.click("#theme")
    same(light, browser.run(colors))
    same("Dark", browser.run('return document.getElementById("theme").textContent;'))
    browser.click("#theme")
    assert(light != browser.run(colors))
    browser.prefer("light")
    browser.visit(page)
    same(light, browser.run(colors))
  end

  [1200, 768, 360, 320].each do |width|
    test "#{width} pixels wide: nothing hangs over" do
      browser.resize(width, 740)
      over = browser.run(<<~JS)
        const out = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && !one.closest(".scroll > *, .skip") &&
          one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.tagName + " " + one.id);
        return [document.documentElement.scrollWidth, ...out];
      JS
      same([width], over)
      proportional(browser.run(CELLS), sizes.reject { |one| one["packed"].zero? }.to_h { |one| [one["name"], one["packed"]] })
    end
  end

  browser.each_view(page) do |name|
    test "the picture in docs is of this page: #{name}" do
      now = Picture.read(browser.screenshot)
      kept = Picture.read(File.binread("#{TOP}/docs/inspect-#{name}.png"))
      same([now.width, now.height], [kept.width, kept.height])
      alike = now.likeness(kept)
      browser.run('for (const id of ["size", "about", "focus", "chart"]) document.getElementById(id).remove();')
      other = Picture.read(browser.screenshot).likeness(kept)
      assert(alike > 0.8 && other < alike - 0.1, "#{alike}; with less on it #{other}")
      format("%.2f; without its main parts %.2f", alike, other)
    end
  end

  browser.each_view(page) do |name|
    next if name == "why"

    test "the picture is what the styles say: #{name}" do
      compare_pixels(browser)
    end
  end
  browser.resize(1200, 900)
  browser.prefer("light")

  test "the list of objects by arrows, Home and End; one stop, also among those found" do
    at = 'return [...document.querySelectorAll("#objects li:not([hidden]) button")].indexOf(document.activeElement);'
    browser.run('document.querySelector("#objects [tabindex=\'0\']").focus();')
    browser.press(:home, :down, :down, :up)
    same(1, browser.run(at))
    browser.press(:end)
    same(objects.size - 1, browser.run(at))
    browser.press(:enter)
    assert(browser.run('return document.activeElement.getAttribute("aria-current") === "true" && document.activeElement.tabIndex === 0;'))
    search(browser, "openssl")
    same([0], browser.run('return [...document.querySelectorAll("#objects li:not([hidden]) button")].map((one) => one.tabIndex).filter((i) => i === 0);'))
    search(browser, "")
  end

  test "the policy: no script but the page's, and nothing is loaded" do
    attack = <<~JS
      const made = (name, more) => document.body.append(Object.assign(document.createElement(name), more));
      const there = "http://127.0.0.1:" + arguments[0];
      made("script", {textContent: "document.title = 'owned'"});
      made("img", {src: there + "/x.png"});
      made("script", {src: there + "/x.js"});
      made("div", {innerHTML: `<b onclick="document.title = 'owned'" id=bold>x</b><style>body { color: rgb(1, 2, 3) }</style>`});
      document.getElementById("bold").click();
    JS
    owned = 'return [document.title === "owned", getComputedStyle(document.body).color === "rgb(1, 2, 3)"];'
    # First what the attack does to a page without the policy.
    bare = "#{WORK}/bare.html"
    File.write(bare, File.read(page).sub(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "") || raise)
    {bare => [true, true], page => [false, false]}.each do |file, expected|
      TCPServer.open("127.0.0.1", 0) do |server|
        browser.visit(file)
        browser.complaints
        browser.run(attack, server.addr[1])
        same(expected, browser.run(owned), file)
        connected = server.wait_readable(file == bare ? 10 : 1)
        same(expected[0], !connected.nil?, "a connection")
        server.accept.close if connected
      end
    end
    assert(browser.complaints.grep(/Content Security Policy/).size >= 5)
  end

  test "names that are markup, script or marks stay text" do
    system("#{__dir__}/hostile", BUNDLE, "#{WORK}/hostile.AppImage", exception: true)
    hostile = page_of("#{WORK}/hostile.AppImage", "hostile")
    browser.requests
    browser.complaints
    browser.resize(1200, 900)
    browser.visit(hostile)
    same(["file://#{hostile}"], browser.requests.uniq)
    same([], browser.complaints)
    same([0, 2, 1], browser.run('return [document.images.length, document.scripts.length, document.styleSheets.length];'))
    assert(browser.run("return document.title;") != "owned")
    text = browser.run("return document.body.innerText;")
    ["</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "<!--data--><!--rows-->",
     "' \" & &lt; ]]> <!--", "__proto__"].each { |evil| assert(text.include?(evil), "no #{evil}") }
    assert(!text.include?("\u202e"), "a character turns the line")
    licences = browser.run('return [...document.querySelectorAll("#table thead th")].map((th) => th.textContent);')
    assert(licences.include?("Licence"), licences.inspect)
    # The views are all there, and can be used.
    assert(browser.run('return ["size", "contents", "why", "start", "licences"].every((id) => document.getElementById(id).checkVisibility());'))
    assert(browser.run(CELLS).size >= 10)
    browser.run('for (const one of document.querySelectorAll("#treemap button, #objects button, #detail button, .chain button")) one.click();')
    search(browser, "onerror")
    assert(rows(browser).any?)
    same([], browser.complaints)
  end

  test "without scripts: summary and table" do
    browser.command("Emulation.setScriptExecutionDisabled", value: true)
    browser.visit(page)
    shown = JSON.parse(browser.command("Runtime.evaluate", expression: <<~JS).dig("result", "value"))
      JSON.stringify({rows: [...document.querySelectorAll("#table tbody tr")].map((row) => row.cells[0].textContent),
        hidden: ["tools", "size", "why", "start", "licences"].filter((id) => document.getElementById(id).checkVisibility()),
        text: document.body.innerText})
    JS
    same(sizes.map { |one| one["name"] }, shown["rows"])
    same([], shown["hidden"])
    assert(shown["text"].include?(data["ruby"]["version"]) && shown["text"].include?("bundle exec puma"))
    browser.command("Emulation.setScriptExecutionDisabled", value: false)
  end
end

puts "1..#{@number}"
exit @failed.zero?
