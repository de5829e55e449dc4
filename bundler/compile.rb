# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Compiles the Ruby sources of a bundle with the Ruby that will run them, into the pack of
# common/iseqpack.h: compile.rb LIST TEXTS PACK LANES.
#
# LIST is JSON: for each source its path in the image as it is loaded, and without symlinks, then where it
# stands in TEXTS. Every result is loaded once, below another root: a Ruby whose format is not the one that is
# expected here gets no pack. LANES: how many at a time. Prints how many sources are in the pack, and the
# options they were compiled with.
#
# What the compiler makes of a file shows which were compiled before it: of equal texts one that was kept is
# listed once. So each has a process of its own, all with the same past, and the same result whatever else is
# compiled today.

require "json"

module RucksackCompile
  MARK = "/.rucksack:root"
  MAGIC = "RSKISEQ1"
  HEADER_SIZE = 16
  ENTRY_SIZE = 24
  T_STRING = 5
  T_SYMBOL = 20
  TEXTS = RUBY_VERSION < "3" ? [T_STRING] : [T_STRING, T_SYMBOL] # symbols of 2.7 point to a string
  COMPILED = "<compiled>" # the label of what was compiled from a text
  REQUIRED = "<top (required)>" # that of a file

  # A blob is not laid out as this says, or not read as it was written.
  class Unknown < StandardError
  end

  # What to_binary gave: iseq.c of MRI, struct ibf_header and ibf_object_header.
  class Blob
    attr_reader :bytes

    def initialize(bytes)
      @bytes = bytes
      magic, _, _, size, _, _, @count, _, @list = bytes.unpack("a4L8")
      raise Unknown, "header" unless magic == "YARB" && size == bytes.bytesize && @list + @count * 4 <= size
    end

    # Offset of the word that points to it, and the text, of each string and symbol.
    def texts
      (1...@count).filter_map do |index|
        word = @list + index * 4
        offset = @bytes.byteslice(word, 4).unpack1("L")
        next unless TEXTS.include?(@bytes.getbyte(offset) & 31) && @bytes.getbyte(offset) & 32 == 0

        [word, *text_at(offset)]
      end
    end

    # What the block makes of each text is put behind the blob, where it is another one.
    def change
      texts.each do |word, text, head|
        to = yield text
        next if to == text

        offset = @bytes.bytesize
        @bytes << head << number(to.bytesize) << to
        @bytes << "\0" while @bytes.bytesize % 4 != 0
        @bytes[word, 4] = [offset].pack("L")
      end
      @bytes[12, 4] = [@bytes.bytesize].pack("L")
      self
    end

    private

    def text_at(offset)
      _, at = read_number(offset + 1)
      head = @bytes.byteslice(offset, at - offset)
      size, at = read_number(at)
      raise Unknown, "text" if at + size > @bytes.bytesize

      [@bytes.byteslice(at, size), head]
    end

    # Zero bits at the low end of the first byte, then a one, tell how many bytes follow.
    def read_number(offset)
      first = @bytes.getbyte(offset)
      raise Unknown, "number" if first.nil? || first.zero?

      more = (first & -first).bit_length - 1
      value = first >> (more + 1)
      more.times { |i| value = value << 8 | @bytes.getbyte(offset + 1 + i) }
      [value, offset + 1 + more]
    end

    def number(value)
      return [value << 1 | 1].pack("C") if value < 1 << 7
      return [(value >> 8) << 2 | 2, value & 0xff].pack("CC") if value < 1 << 14

      raise Unknown, "text of #{value} bytes"
    end
  end

  module_function

  # Blob and offsets of the words whose texts name the root; nil for what cannot be compiled.
  def compile(path, real, text)
    return if text.include?(COMPILED) || text.include?(MARK)

    bytes = binary(text, "#{MARK}/#{path}", "#{MARK}/#{real}") or return
    blob = Blob.new(bytes).change { |found| found == COMPILED ? REQUIRED : found }
    check(blob, path, real)
    [blob.bytes, blob.texts.filter_map { |word, found, _| word if found.include?(MARK) }]
  end

  # Where it cannot be made, Ruby will say what is wrong when it is asked to read the file.
  def binary(text, name, real)
    RubyVM::InstructionSequence.compile(text, name, real, 1).to_binary
  rescue SyntaxError, ArgumentError, EncodingError, TypeError, RuntimeError
    nil
  end

  def source(texts, given)
    File.binread(texts, given["size"], given["at"]).to_s.force_encoding(Encoding::UTF_8)
  end

  def write(target, entries)
    at = HEADER_SIZE + entries.size * ENTRY_SIZE
    words = +"".b
    paths = +"".b
    blobs = +"".b
    entries.each { |path, (_, offsets)| words << offsets.pack("L*"); paths << path }
    paths << "\0" while (at + words.bytesize + paths.bytesize) % 4 != 0
    table = table_of(entries, at, at + words.bytesize, at + words.bytesize + paths.bytesize, blobs)
    File.binwrite(target, [MAGIC, entries.size, 0].pack("a8LL") + table + words + paths + blobs)
  end

  def table_of(entries, word_at, path_at, blob_at, blobs)
    table = +"".b
    entries.each do |path, (bytes, words)|
      table << [path_at, path.bytesize, blob_at + blobs.bytesize, bytes.bytesize, word_at, words.size].pack("L6")
      path_at += path.bytesize
      word_at += words.size * 4
      blobs << bytes
      blobs << "\0" while blobs.bytesize % 4 != 0
    end
    table
  end

  # As at a start, where the blob is gone as soon as it is loaded.
  def check(blob, path, real)
    copy = Blob.new(blob.bytes.dup).change { |text| text.gsub(MARK.b, "/a root/of another length".b) }
    iseq = RubyVM::InstructionSequence.load_from_binary(copy.bytes)
    copy.bytes.clear
    iseq.to_a
    found = [iseq.path, iseq.absolute_path, iseq.label]
    expected = ["/a root/of another length/#{path}", "/a root/of another length/#{real}", REQUIRED]
    raise Unknown, "#{found} instead of #{expected}" unless found.map(&:b) == expected.map(&:b)
  end

  # Begins the block in another process; what ends it returns the block's value.
  def apart
    reader, writer = IO.pipe(binmode: true)
    pid = fork do
      reader.close
      writer.write(Marshal.dump(yield))
      writer.close
      exit!(true)
    end
    writer.close
    lambda do
      bytes = reader.read
      reader.close
      Process.wait(pid)
      raise Unknown, "the compiler ended early" unless $?.success?

      Marshal.load(bytes)
    end
  end

  def attempt(texts, given)
    [given["name"].b, compile(given["name"], given["real"], source(texts, given))]
  rescue Unknown => e
    e
  end

  # No garbage is collected from here on: the past is the same for all.
  def compile_all(list, texts, count)
    GC.start
    GC.disable
    lanes = list.group_by.with_index { |_, index| index % count }.values.map do |share|
      apart { share.map { |given| apart { attempt(texts, given) }.call } }
    end
    found = lanes.map { |lane| Thread.new { lane.call } }.flat_map(&:value)
    found.each { |one| raise one if one.is_a?(Unknown) }
  end

  def run(list, texts, target, lanes)
    $VERBOSE = nil
    Thread.report_on_exception = false
    found = compile_all(JSON.parse(File.read(list)), texts, lanes.to_i)
    entries = found.reject { |_, compiled| compiled.nil? }.sort_by(&:first).to_h
    write(target, entries)
    puts entries.size, RubyVM::InstructionSequence.compile_option.inspect
  rescue Unknown => e
    $stderr.puts "#{RUBY_ENGINE} #{RUBY_VERSION} compiles to an unknown format: #{e.message}"
    exit 1
  end
end

RucksackCompile.run(*ARGV)
