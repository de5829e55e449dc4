# frozen_string_literal: true
# SPDX-License-Identifier: MIT
# AppImages as other tools make them, without one: a runtime is an ELF file with the sections that
# AppImage tools know, and an image follows it.
#
#   foreign.rb runtime FILE [--bits 32|64] [--update TEXT] [--signature TEXT] [--unmarked]
#   foreign.rb damage RUCKSACK FILE SEED TRUNCATIONS FLIPS [OPTION...]
require "open3"

# An ELF file of nothing but a header, sections and their table; it is never run.
def runtime(file, bits: 64, update: "", signature: "", marked: true)
  sections = { "" => nil, ".upd_info" => update.ljust(1024, "\0"), ".sha256_sig" => signature.ljust(1024, "\0"),
               ".sig_key" => "\0" * 8192 }
  names = "\0#{sections.keys.drop(1).join("\0")}\0.shstrtab\0"
  sections[".shstrtab"] = names
  header_size, entry_size, machine = bits == 64 ? [64, 64, 62] : [52, 40, 3]
  body = String.new
  table = sections.map do |name, bytes|
    offset = bytes ? header_size + body.bytesize : 0
    body << bytes if bytes
    type = { "" => 0, ".shstrtab" => 3 }.fetch(name, 1)
    fields = [names.index("#{name}\0"), type, 0, 0, offset, bytes.to_s.bytesize, 0, 0, 1, 0]
    fields.pack(bits == 64 ? "L<L<Q<Q<Q<Q<L<L<Q<Q<" : "L<10")
  end.join
  ident = "\x7FELF#{[bits / 32, 1, 1, 0].pack('C4')}#{marked ? "AI\2" : "\0\0\0"}".b.ljust(16, "\0")
  head = [2, machine, 1, 0, 0, header_size + body.bytesize, 0, header_size, 0, 0, entry_size, sections.size,
          sections.size - 1].pack(bits == 64 ? "S<S<L<Q<Q<Q<L<S<6" : "S<S<L<L<L<L<L<S<6")
  File.binwrite(file, ident + head + body + table)
end

# One look at a damaged file: shown, refused with one error of one id, or something that must not be.
def look(tool, option, file)
  out, complaint, status = Open3.capture3({ "TERM" => "dumb" }, "timeout", "20", tool, "inspect", *option, file)
  raise "#{file} #{option}: #{status}" if status.signaled? || ![0, 1].include?(status.exitstatus)
  raise "#{file} #{option}: control characters" if (out + complaint).b.match?(/[\x00-\x08\x0b-\x1f\x7f]/n)

  lines = complaint.lines
  if status.success?
    raise "#{file} #{option}: #{complaint}" unless lines.empty?
    return :shown
  end
  return :refused if lines.size.between?(1, 2) && lines[0].match?(/\Arucksack: E-[A-Z]+: /) &&
                     (lines.size == 1 || lines[1].start_with?("hint: "))

  raise "#{file} #{option}: #{complaint}"
end

def truncations(size, count, random)
  ends = [0, 1, 4, 16, 63, 64, 65, 4095, 4096, 4097, size - 1, size - 96, size - 4096]
  ends.concat(Array.new(count) { random.rand(size) }).select { |at| at.between?(0, size - 1) }.first(count)
end

# A quarter each: the runtime's head, the superblock, the tables (squashfs 4.0: inode_table_start at
# byte 64, bytes_used at 40), anywhere.
def places(bytes, count, random)
  image = 0
  image = bytes.index("hsqs".b, image + 1) until bytes.byteslice(image + 28, 4) == "\4\0\0\0" # its version
  used, inodes = bytes.byteslice(image + 40, 8).unpack1("Q<"), bytes.byteslice(image + 64, 8).unpack1("Q<")
  Array.new(count) do |i|
    case i % 4
    when 0 then random.rand([4096, bytes.size].min)
    when 1 then image + random.rand(96)
    when 2 then image + inodes + random.rand(used - inodes)
    else random.rand(bytes.size)
    end
  end
end

def damage(tool, file, seed, truncated, flipped, options)
  random = Random.new(seed)
  copy = "#{file}.damaged"
  bytes = File.binread(file)
  found = Hash.new(0)
  truncations(bytes.size, truncated, random).each_with_index do |size, i|
    File.binwrite(copy, bytes.byteslice(0, size))
    found["truncated, #{look(tool, options[i % options.size], copy)}"] += 1
  end
  File.binwrite(copy, bytes)
  File.open(copy, "r+b") do |open|
    places(bytes, flipped, random).each_with_index do |at, i|
      open.pwrite([bytes.getbyte(at) ^ (1 << random.rand(8))].pack("C"), at)
      found["flipped, #{look(tool, options[i % options.size], copy)}"] += 1
      open.pwrite(bytes.byteslice(at, 1), at)
    end
  end
  File.delete(copy)
  found
end

case ARGV.shift
when "runtime"
  file = ARGV.shift
  options = {}
  until ARGV.empty?
    case ARGV.shift
    when "--bits" then options[:bits] = ARGV.shift.to_i
    when "--update" then options[:update] = ARGV.shift
    when "--signature" then options[:signature] = ARGV.shift
    when "--unmarked" then options[:marked] = false
    end
  end
  runtime(file, **options)
when "damage"
  tool, file, seed, truncated, flipped = ARGV.shift(5)
  options = ARGV.empty? ? [[], ["--json"], ["--all"], ["--tree"], ["--sizes"]] : ARGV.map(&:split)
  found = damage(tool, file, seed.to_i, truncated.to_i, flipped.to_i, options)
  puts "#{File.basename(file)}: #{found.sort.map { |what, count| "#{count} #{what}" }.join('; ')}"
  abort "nothing was refused" unless found["truncated, refused"].positive? && found["flipped, refused"].positive?
end
