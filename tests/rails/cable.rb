# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# cable.rb HOST PORT CHANNEL: a browser that is told. Speaks Action Cable over a WebSocket (RFC 6455)
# behind a proxy that speaks TLS, subscribes, prints "subscribed" and the first message.
require "base64"
require "digest/sha1"
require "json"
require "securerandom"
require "socket"
require "timeout"

host, port, channel = ARGV
socket = TCPSocket.new(host, port.to_i)

# A client masks what it sends.
send_text = lambda do |text|
  mask = SecureRandom.bytes(4).bytes
  abort "longer than a short frame" if text.bytesize > 125
  masked = text.bytes.each_with_index.map { |byte, i| byte ^ mask[i % 4] }
  socket.write([0x81, 0x80 | text.bytesize, *mask, *masked].pack("C*"))
end

receive = lambda do
  first, size = socket.readpartial(1).unpack1("C"), socket.read(1).unpack1("C")
  size = socket.read(2).unpack1("n") if size == 126
  text = socket.read(size)
  abort "closed: #{text.inspect}" if first & 0x0f == 8
  JSON.parse(text)
end

Timeout.timeout(60) do
  key = SecureRandom.base64(16)
  socket.write("GET /cable HTTP/1.1\r\nHost: #{host}:#{port}\r\nUpgrade: websocket\r\n" \
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: #{key}\r\n" \
               "Sec-WebSocket-Protocol: actioncable-v1-json\r\nX-Forwarded-Proto: https\r\n" \
               "Origin: https://#{host}:#{port}\r\n\r\n")
  head = socket.gets("\r\n\r\n")
  accept = Base64.strict_encode64(Digest::SHA1.digest("#{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
  abort head unless head.start_with?("HTTP/1.1 101") && head.include?("Sec-WebSocket-Accept: #{accept}")

  identifier = JSON.generate("channel" => channel)
  loop do
    message = receive.call
    case message["type"]
    when "welcome" then send_text.call(JSON.generate("command" => "subscribe", "identifier" => identifier))
    when "confirm_subscription" then $stdout.puts("subscribed")
    when "ping" then next
    when nil then break $stdout.puts(JSON.generate(message.fetch("message")))
    else abort message.inspect
    end
    $stdout.flush
  end
end
