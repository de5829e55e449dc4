# frozen_string_literal: true
# SPDX-License-Identifier: MIT

# What an interpreter can do, which must not depend on where it is (`values`), and where it takes
# its things from, which must be the bundle (`places`).
require "bcrypt"
require "fiddle"
require "json"
require "open3"
require "openssl"
require "psych"
require "rbconfig"
require "socket"
require "zlib"

module Report
  module_function

  def values
    {
      "version" => RUBY_DESCRIPTION,
      "api" => [RbConfig::CONFIG["ruby_version"], Gem.extension_api_version, Gem::VERSION],
      "bcrypt" => BCrypt::Engine.hash_secret("a", "$2a$04$abcdefghijklmnopqrstuu"),
      "openssl" => OpenSSL::Digest.new("SHA256").hexdigest("a"),
      "zlib" => Zlib.crc32("a"),
      "psych" => { "a" => [1, nil] }.to_yaml.inspect,
      "json" => JSON.generate("a" => 1.5),
      "fiddle" => Fiddle::Function.new(Fiddle.dlopen(nil)["strlen"], [Fiddle::TYPE_VOIDP], Fiddle::TYPE_SIZE_T).call("four"),
      "encodings" => ["\u65e5\u672c".encode("EUC-JP").bytes, Encoding.default_external.to_s, Encoding.list.size],
      "socket" => Socket.getaddrinfo("127.0.0.1", 1, nil, :STREAM).first.last(2),
      "children" => children,
    }
  end

  # RbConfig.ruby and `ruby` on PATH are this Ruby, with this bundle's gems; RUBYOPT loads none.
  def children
    code = "require 'bundler/setup'; require 'bcrypt'; print RUBY_VERSION, ' ', $0, ' ', 6 * 7"
    [[RbConfig.ruby], [Gem.ruby], ["ruby"], [RbConfig.ruby, "--disable-gems"]].map do |ruby|
      text = ruby.size > 1 ? "require 'json'; print JSON.generate([RUBY_VERSION])" : code
      output, status = Open3.capture2e(*ruby, "-e", text)
      [output, status.exitstatus]
    end
  end

  def places
    {
      "load path" => $LOAD_PATH,
      "features" => $LOADED_FEATURES.grep(%r{\A/}),
      "config" => RbConfig::CONFIG.values_at("prefix", "bindir", "rubylibdir", "rubyarchdir", "topdir"),
      "ruby" => [RbConfig.ruby, Gem.ruby],
      "gems" => [Gem.dir, *Gem.path, Gem.default_specifications_dir, Gem.loaded_specs["bcrypt"].full_gem_path],
      "objects" => File.readlines("/proc/self/maps").map { |line| line.split[5] }.grep(%r{\A/(?!dev/zero)}).uniq,
    }
  end
end

if $PROGRAM_NAME == __FILE__
  case ARGV.first
  when "values" then Report.values.each { |name, value| puts "#{name}: #{value}" }
  when "places" then Report.places.each { |name, paths| paths.each { |path| puts "#{name}: #{path}" } }
  when "comm" then puts File.read("/proc/self/comm")
  when "yjit" then puts RubyVM::YJIT.enabled?
  end
end
