# frozen_string_literal: true
# SPDX-License-Identifier: MIT

# An application of gems that start programs. /up is Puma alone; / is all of them at work, each in a
# directory of its own.
require "execjs"
require "git"
require "mini_magick"
require "rghost"
require "tmpdir"

def magick(dir)
  File.write("#{dir}/x.pnm", "P3 2 1 255 255 0 0 0 0 255\n")
  image = MiniMagick::Image.open("#{dir}/x.pnm")
  image.resize "4x2!"
  image.format "png"
  [image.type, image.width, image.height].join(" ")
end

# A clone runs upload-pack, by that name, which is one more name of git.
def clone(dir)
  repository = Git.init("#{dir}/a")
  repository.config("user.name", "a")
  repository.config("user.email", "a@example.org")
  File.write("#{dir}/a/file", "text\n")
  repository.add("file")
  repository.commit("first")
  Git.clone("file://#{dir}/a", "b", path: dir)
  File.read("#{dir}/b/file").chomp
end

# The gem says its own version in each document, and forgets to ship it.
module RGhost
  module VERSION
    STRING = "0"
  end
end

# Start-up files, a font and a colour profile, all at compiled-in places.
def ghostscript(dir)
  document = RGhost::Document.new
  document.show "text"
  document.render :png, filename: "#{dir}/x.png"
  File.binread("#{dir}/x.png", 3, 1)
end

# Of what runs while it waits: files that it has mapped.
def maps_of(*command)
  IO.popen(command, "r+") do |io|
    io.gets
    maps = File.readlines("/proc/#{io.pid}/maps").filter_map { |line| line[%r{ (/.*)$}, 1] }.uniq
    io.close_write
    maps
  end
end

WORK = {
  "mini_magick" => -> { Dir.mktmpdir { |dir| magick(dir) } },
  "execjs" => -> { ExecJS.eval("[1, 2, 3].map(x => x * x).join()") },
  "rghost" => -> { Dir.mktmpdir { |dir| ghostscript(dir) } },
  "git" => -> { Dir.mktmpdir { |dir| clone(dir) } },
  "node's own node" => lambda {
    script = "console.log(require('child_process').execFileSync(process.execPath, ['-p', '6 * 7']).toString().trim())"
    IO.popen(["node", "-e", script], &:read).chomp
  },
  "maps" => lambda {
    script = "console.log(1); process.stdin.on('data', () => {})"
    foreign = maps_of("node", "-e", script).reject { |path| path.start_with?(ENV.fetch("APPDIR")) }
    foreign.empty? ? "the image's" : foreign.join(" ")
  },
}.freeze

run lambda { |env|
  body = env["PATH_INFO"] == "/up" ? "ok" : WORK.map { |name, work| "#{name}: #{work.call}\n" }.join
  [200, { "content-type" => "text/plain" }, [body]]
}
