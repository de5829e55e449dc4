# SPDX-License-Identifier: MIT
# Says which process answers, and whose child it is.

run(lambda do |env|
  body = env["PATH_INFO"] == "/up" ? "ok" : "#{Process.ppid} #{Process.pid} #{RUBY_VERSION}"
  [200, {"content-type" => "text/plain"}, [body]]
end)
