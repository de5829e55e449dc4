# frozen_string_literal: true
# SPDX-License-Identifier: MIT
# A headless Chromium, told what to do by chromedriver: W3C WebDriver, and Chromium's own commands for
# what that has no words for (colour scheme, size of the window, network).

require "base64"
require "json"
require "net/http"
require "socket"
require "tmpdir"

class Browser
  ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
  KEYS = {tab: "\uE004", enter: "\uE007", left: "\uE012", up: "\uE013", right: "\uE014", down: "\uE015",
          home: "\uE011", end: "\uE010", shift: "\uE008", back: "\uE003"}.freeze

  def self.open
    browser = new
    yield browser
  ensure
    browser&.close
  end

  def initialize
    @home = Dir.mktmpdir("rucksack-html")
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    @driver = Process.spawn({"HOME" => @home, "TMPDIR" => @home}, "chromedriver", "--port=#{@port}", "--log-level=OFF",
                            out: File::NULL, err: File::NULL, pgroup: true)
    wait_for_driver
    arguments = %w[--headless=new --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1
                   --disable-dev-shm-usage --no-first-run --disable-background-networking]
    made = call(:post, "/session", {capabilities: {alwaysMatch: {
      "browserName" => "chrome", "goog:chromeOptions" => {binary: binary, args: arguments},
      "goog:loggingPrefs" => {browser: "ALL", performance: "ALL"}
    }}}, session: false)
    @session = made.fetch("sessionId")
  rescue StandardError
    close
    raise
  end

  def close
    call(:delete, "", nil) if @session
  rescue StandardError
    nil
  ensure
    stop_driver
    FileUtils.remove_entry(@home) if @home && Dir.exist?(@home)
    @session = @home = nil
  end

  def visit(file) = call(:post, "/url", {url: "file://#{File.expand_path(file)}"})

  # The value of a function's body; arguments are in `arguments`.
  def run(script, *arguments) = call(:post, "/execute/sync", {script: script, args: arguments})

  def command(name, **parameters) = call(:post, "/goog/cdp/execute", {cmd: name, params: parameters})

  def resize(width, height)
    command("Emulation.setDeviceMetricsOverride", width: width, height: height, deviceScaleFactor: 1, mobile: false)
    settle
  end

  def prefer(scheme)
    command("Emulation.setEmulatedMedia", features: [{name: "prefers-color-scheme", value: scheme}])
    settle
  end

  # What the documents show of the page: width, height, colour scheme, the element at the top.
  VIEWS = {"light" => [1200, 900, "light", "body"], "dark" => [1200, 900, "dark", "body"],
           "narrow" => [360, 740, "light", "#size"], "why" => [1200, 1100, "light", "#why"]}.freeze

  def each_view(page)
    VIEWS.each do |name, (width, height, scheme, top)|
      resize(width, height)
      prefer(scheme)
      visit(page)
      settle
      run("document.querySelector(arguments[0]).scrollIntoView();", top)
      yield name, width, height, scheme
    end
  end

  # Two frames: observers of sizes have been told.
  def settle
    call(:post, "/execute/async",
         {script: "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)));", args: []})
  end

  # Keys and texts, to whatever has the focus.
  def press(*keys)
    actions = keys.flat_map { |key| key.is_a?(Symbol) ? [KEYS.fetch(key)] : key.chars }
                  .flat_map { |key| [{type: "keyDown", value: key}, {type: "keyUp", value: key}] }
    call(:post, "/actions", {actions: [{type: "key", id: "keyboard", actions: actions}]})
  end

  def press_with_shift(key)
    actions = [[:shift, "keyDown"], [key, "keyDown"], [key, "keyUp"], [:shift, "keyUp"]]
              .map { |one, type| {type: type, value: KEYS.fetch(one)} }
    call(:post, "/actions", {actions: [{type: "key", id: "keyboard", actions: actions}]})
  end

  def click(selector)
    found = call(:post, "/element", {using: "css selector", value: selector})
    call(:post, "/element/#{found.fetch(ELEMENT)}/click", {})
  end

  # PNG: of the window, or of the whole page.
  def screenshot(whole: false)
    return Base64.decode64(call(:get, "/screenshot")) unless whole

    size = command("Page.getLayoutMetrics").fetch("cssContentSize")
    shot = command("Page.captureScreenshot", format: "png", captureBeyondViewport: true,
                                             clip: {x: 0, y: 0, width: size["width"], height: size["height"], scale: 1})
    Base64.decode64(shot.fetch("data"))
  end

  # URLs that the page asked for since the last call, and what the browser complained about.
  def requests
    log("performance").filter_map do |entry|
      message = JSON.parse(entry.fetch("message")).fetch("message")
      message.dig("params", "request", "url") if message["method"] == "Network.requestWillBeSent"
    end
  end

  def complaints = log("browser").map { |entry| entry.fetch("message") }

  private

  def log(type) = call(:post, "/se/log", {type: type})

  def binary = ENV.fetch("PATH").split(":").map { |dir| "#{dir}/chromium" }.find { |file| File.executable?(file) }

  def wait_for_driver
    200.times do
      return if call(:get, "/status", nil, session: false)["ready"]
    rescue SystemCallError, EOFError
      sleep 0.05
    end
    raise "chromedriver does not answer"
  end

  # It is the leader of its own group, with the browser in it.
  def stop_driver
    return unless @driver

    Process.kill(:TERM, -@driver)
    Process.wait(@driver)
  rescue SystemCallError
    nil
  ensure
    @driver = nil
  end

  def call(method, path, body = nil, session: true)
    uri = URI("http://127.0.0.1:#{@port}#{"/session/#{@session}" if session}#{path}")
    request = Net::HTTP.const_get(method.capitalize).new(uri)
    request["Content-Type"] = "application/json"
    request.body = JSON.generate(body) if body
    answer = Net::HTTP.start(uri.host, uri.port, nil, read_timeout: 120) { |http| http.request(request) }
    value = JSON.parse(answer.body).fetch("value")
    raise "#{path}: #{value["error"]}: #{value["message"]}" unless answer.is_a?(Net::HTTPSuccess)

    value
  end
end
