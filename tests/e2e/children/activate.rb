# SPDX-License-Identifier: MIT
# What systemd does for a socket unit: the listening socket is descriptor 3 of the program.

require "socket"

socket = TCPServer.new("127.0.0.1", 9292)
ENV.update("LISTEN_FDS" => "1", "LISTEN_PID" => Process.pid.to_s)
exec(*ARGV, 3 => socket, close_others: true)
