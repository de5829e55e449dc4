# SPDX-License-Identifier: MIT

worker_processes 1
listen "127.0.0.1:9292"
pid ENV.fetch("PIDFILE")
timeout 60
