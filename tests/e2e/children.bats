#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a program and its children may do: each behaviour natively and in the bundle, the same text,
# arguments and input. Output, errors and end must be equal.

bats_require_minimum_version 1.5.0
load lib

app=$cache/children
bundle=$RUCKSACK_BUILD/children.AppImage

# The gems are compiled once for all runs.
setup_file() {
    install_app "$BATS_TEST_DIRNAME/children" "$app"
    "$rucksack" build --fast --no-check --quiet -n children -o "$bundle" "$app"
    # A command, too: it stays where the user is.
    echo 'eval($stdin.read, binding, "text")' >"$BATS_FILE_TMPDIR/tool.rb"
    "$rucksack" build --fast --no-check --quiet -o "$RUCKSACK_BUILD/tool.AppImage" \
        "$BATS_FILE_TMPDIR/tool.rb"
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    pid=
    variables=(PATH=/usr/sbin:/usr/bin:/sbin:/bin "HOME=$BATS_TEST_TMPDIR" LANG=C.UTF-8
        "E2E_TEST=$BATS_TEST_TMPDIR")
    before=()
    text=$BATS_TEST_TMPDIR/text.rb
    export input=/dev/null
    ulimit -c 0
    cd "$app"
}

teardown() {
    stop KILL
    [ -z "${redis:-}" ] || kill "$redis" 2>/dev/null || true
    drop_roots
}

# As the shell that started it would say; the code of the end is the last line.
natively() {
    local code=0
    env -i "${variables[@]}" RACK_ENV=production MALLOC_ARENA_MAX=2 "${before[@]}" \
        timeout 60 "$@" <"$input" 3>&- ||
        code=$?
    echo "ended: $code"
}

bundled() {
    local code=0
    env -i "${variables[@]}" "${before[@]}" timeout 60 "$bundle" exec "$@" <"$input" 3>&- ||
        code=$?
    echo "ended: $code"
}

# same WANT COMMAND...: equal, and what is expected: a run that fails both ways alike proves nothing.
same() {
    local want=$1
    shift
    natively "$@" >"$BATS_TEST_TMPDIR/native.out" 2>"$BATS_TEST_TMPDIR/native.err"
    bundled "$@" >"$BATS_TEST_TMPDIR/bundle.out" 2>"$BATS_TEST_TMPDIR/bundle.err"
    diff "$BATS_TEST_TMPDIR"/{native,bundle}.out &&
        diff "$BATS_TEST_TMPDIR"/{native,bundle}.err || return 1
    output=$(<"$BATS_TEST_TMPDIR/bundle.out")
    [[ $output == *$want* ]] || {
        printf 'wanted: %s\ngot: %s\n' "$want" "$output"
        cat "$BATS_TEST_TMPDIR/bundle.err"
        return 1
    }
}

# The same of a text from standard input, with arguments.
same_text() {
    cat >"$text"
    same "$1" ruby "$text" "${@:2}"
}

@test "__FILE__ == \$0, DATA, __dir__, standard input" {
    input=Rakefile
    same 'TASK(:BASE)' ruby program.rb
    [[ ${output%%$'\n'*} == true && $output == *'behind the end'* ]]
}

@test "arguments arrive byte by byte" {
    same '[255, 254]' ruby program.rb -- --version -h '' 'a b' $'\xff\xfe' ä '*' "it's" '$HOME' $'a\nb'
    same '[[45, 45, 118' ruby program.rb --version
    same 'ruby 3' ruby --version
    same '["-e", ["--", "-x"]]' ruby -e 'p [$0, ARGV]' -- -- -x
}

@test "\$0 = is what ps shows, at any length" {
    same_text 'short' <<'RUBY'
["short", "a title much longer than the command line ever was " * 3, "ä"].each do |title|
  $0 = title
  puts `ps -o args= -p #{$$}`.strip == title.strip[0, 4000] || `ps -o args= -p #{$$}`, title
end
RUBY
    same_text 'ruby' <<'RUBY'
puts File.read("/proc/self/comm"), `ps -o comm= -p #{$$}`
Process.setproctitle("worker 1")
puts `ps -o args= -p #{$$}`, $0 == __FILE__
RUBY
}

@test "pipes on both ends, and a reader that goes away" {
    input=$app/config.ru
    same_text 'SPDX' <<'RUBY'
$stdin.each_line { |line| puts line.upcase if line =~ /SPDX/; puts line }
warn "on standard error"
RUBY
    input=/dev/null
    local program=$text
    echo 'begin; loop { puts "y" }; rescue Errno::EPIPE; exit 9; end' >"$program"
    run -0 bash -c "ruby '$program' | head -1; echo \${PIPESTATUS[0]}"
    local native=$output
    run -0 bash -c "'$bundle' exec ruby '$program' | head -1; echo \${PIPESTATUS[0]}"
    [ "$output" = "$native" ]
    [ "$output" = $'y\n9' ]
}

@test "a terminal: tty?, its size, raw mode, a new session in a pty" {
    cat >"$text" <<'RUBY'
require "io/console"
require "pty"
p [$stdin, $stdout, $stderr].map(&:tty?)
$stdin.winsize = [33, 101]
p IO.console.winsize, Process.getpgrp == Process.pid, File.exist?("/dev/tty")
$stdin.raw { |io| p io.tty? }
PTY.spawn("tty; stty size; exit 5") do |output, _, pid|
  begin
    puts output.read
  rescue Errno::EIO
  end
  p Process.wait2(pid)[1].exitstatus
end
exit 6
RUBY
    before=(TERM=xterm)
    natively script -qec "ruby $text" /dev/null >"$BATS_TEST_TMPDIR/native"
    natively script -qec "$bundle exec ruby $text" /dev/null >"$BATS_TEST_TMPDIR/bundle"
    diff <(sed 's:/dev/pts/[0-9]*:TTY:' "$BATS_TEST_TMPDIR/native") \
        <(sed 's:/dev/pts/[0-9]*:TTY:' "$BATS_TEST_TMPDIR/bundle")
    grep -q 'true, true, true' "$BATS_TEST_TMPDIR/bundle"
    grep -q '33, 101' "$BATS_TEST_TMPDIR/bundle"
    [ "$(tail -1 "$BATS_TEST_TMPDIR/bundle")" = 'ended: 6' ]
}

@test "every fatal signal ends the program with its own status" {
    local signal native ended=0
    for signal in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
        XCPU XFSZ PROF IO PWR SYS RTMIN+3; do
        echo "Signal.trap('EXIT') { }; Process.kill(Signal.list['${signal%%+*}'] || 37, \$\$); sleep 1" \
            >"$text"
        native=$(natively ruby "$text" 2>/dev/null)
        [ "$(bundled ruby "$text" 2>/dev/null)" = "$native" ] || {
            echo "$signal: $native"
            return 1
        }
        [ "$native" = 'ended: 0' ] || ended=$((ended + 1))
    done
    [ "$ended" -ge 20 ]
}

# told SIGNAL COMMAND...: the program says "ready", gets the signal, says what it heard.
told() {
    local signal=$1 log=$BATS_TEST_TMPDIR/told code=0
    shift
    : >"$log"
    env -i "${variables[@]}" "$@" >"$log" 2>&1 </dev/null 3>&- &
    pid=$!
    for _ in $(seq 200); do
        ! grep -q ready "$log" || break
        sleep 0.05
    done
    kill "-$signal" $pid
    wait $pid || code=$?
    pid=
    cat "$log"
    echo "ended: $code"
}

@test "SIGTERM, SIGINT, SIGHUP and SIGUSR1 reach the program itself" {
    cat >"$text" <<'RUBY'
$stdout.sync = true
%w[TERM INT HUP USR1].each { |name| trap(name) { puts "heard #{name}"; exit 11 } }
at_exit { puts "last words" }
puts "ready"
sleep
RUBY
    local signal
    for signal in TERM INT HUP USR1; do
        run told $signal ruby "$text"
        local native=$output
        run told $signal "$bundle" exec ruby "$text"
        [ "$output" = "$native" ]
        [ "$output" = $'ready\nheard '$signal$'\nlast words\nended: 11' ]
    done
}

@test "exit, exit!, abort, an exception, at_exit: status and order" {
    same_text 'ended: 3' <<<'at_exit { puts 1 }; at_exit { puts 2; exit 3 }; exit 7'
    same_text 'ended: 4' <<<'at_exit { puts "never" }; $stdout.sync = true; puts 1; exit! 4'
    same_text 'ended: 1' <<<'at_exit { puts $!.class }; abort "aborted"'
    same_text 'ended: 1' <<<'at_exit { puts $!.message }; raise ArgumentError, "words"'
    same_text 'ended: 255' <<<'exit 255'
    same_text 'ended: 0' <<<'puts; exit true'
    same_text 'ended: 1' <<<'def f = f()
f'
}

@test "fork, double fork, waitpid2, detach" {
    same_text 'grandchild has json' <<'RUBY'
$stdout.sync = true
at_exit { puts "end of #{$$ == PARENT ? :parent : :child}" }
PARENT = $$
pid = fork { require "set"; puts "child"; exit 5 }
p Process.waitpid2(pid)[1].exitstatus
reader, writer = IO.pipe
fork do
  Process.setsid
  fork do
    reader.close
    require "json"
    writer.puts "grandchild has #{JSON.name.downcase}", Process.ppid.positive?
    exit!(0)
  end
  exit!(0)
end
writer.close
puts reader.read
Process.wait
p Process.detach(fork { exit! 8 }).value.exitstatus
p Process.wait2(fork { Process.kill(:KILL, $$) })[1].termsig
RUBY
}

@test "Process.daemon, then require" {
    cat >"$text" <<'RUBY'
reader, writer = IO.pipe
if fork
  writer.close
  puts reader.read
else
  reader.close
  Process.daemon
  require "openssl"
  require "socket"
  writer.puts OpenSSL::Digest::SHA1.hexdigest("")[0, 8], Dir.pwd, $stdout.stat.rdev == File.stat("/dev/null").rdev
  writer.puts `echo child`, Process.getsid == Process.getpgrp
end
RUBY
    same da39a3ee ruby "$text"
    nothing_left "$BATS_TEST_TMPDIR"
}

@test "exec of itself: by RbConfig.ruby, by name, by \$0, with descriptors" {
    same_text '["second", "two words", ""]' <<'RUBY'
if ARGV.empty?
  $stdout.sync = true
  puts "first"
  exec(RbConfig.ruby, __FILE__, "again", Process.pid.to_s)
elsif ARGV[0] == "again"
  p ARGV[1].to_i == Process.pid
  exec("ruby", "--", $0, "second", "two words", "", close_others: true)
else
  p ARGV
  exit 12
end
RUBY
    same_text '[true, "passed"]' <<'RUBY'
reader, writer = IO.pipe
writer.write("passed")
writer.close
unless ARGV[0]
  exec(RbConfig.ruby, __FILE__, reader.fileno.to_s, reader => reader, close_others: true)
end
RUBY
}

@test "exec hands over the descriptors it is told to, and no others" {
    same_text 'passed' <<'RUBY'
if ARGV[0]
  puts IO.for_fd(ARGV[0].to_i).read
  begin
    IO.for_fd(ARGV[1].to_i)
    puts "leaked"
  rescue Errno::EBADF
    puts "closed"
  end
else
  reader, writer = IO.pipe
  other = File.open(__FILE__)
  writer.write("passed")
  writer.close
  exec(RbConfig.ruby, __FILE__, reader.fileno.to_s, other.fileno.to_s, reader => reader, close_others: true)
end
RUBY
    # No descriptor of ours stays open in the program.
    same_text '[0, 1, 2' <<'RUBY'
p Dir.children("/proc/self/fd").map(&:to_i).select { |fd| File.readlink("/proc/self/fd/#{fd}") !~ /event/ rescue false }.sort.first(3)
p Dir.children("/proc/self/fd").size
RUBY
}

@test "spawn with variables, directory, streams and process group; system, backticks, IO.popen" {
    same_text 'ended: 0' <<'RUBY'
ENV["KEPT"] = "kept"
def show(*arguments, **options)
  reader, writer = IO.pipe
  pid = spawn(*arguments, out: writer, **options)
  writer.close
  puts reader.read
  p Process.wait2(pid)[1].exitstatus
end
show({"A" => "1", "KEPT" => nil, "RUBYOPT" => "-W0"}, "echo $A-$KEPT-$RUBYOPT; exit 2")
show({"A" => "1"}, RbConfig.ruby, "-e", "p ENV.to_h.slice('A', 'KEPT'); exit 3")
show({"A" => "1"}, "env", unsetenv_others: true)
show({"A" => "1", "RUBYOPT" => nil}, "env", unsetenv_others: true)
p IO.popen([{"A" => "1", "RUBYOPT" => nil}, "env", {unsetenv_others: true}], &:read)
show("pwd", chdir: "/usr")
show("cat; echo err >&2", in: ["/etc/hostname"], err: %i[child out])
show("ps -o pgid= -p $$ | tr -d ' ' | grep -vqx #{Process.getpgrp}", pgroup: true)
show("sh", "-c", "ulimit -n", rlimit_nofile: 77)
show("sh", "-c", "umask", umask: 0o27)
p system("sh -c 'exit 4'"), $?.exitstatus, system("no-such-command-here"), $?.exitstatus
p system("sh", "-c", "kill -9 $$"), $?.termsig, `echo out; exit 5`, $?.exitstatus
p IO.popen("cat", "r+") { |io| io.write("through"); io.close_write; io.read }
p IO.popen(["tr", "a-z", "A-Z"], "r+") { |io| io.write("up"); io.close_write; io.read }
p IO.popen([{"X" => "y"}, RbConfig.ruby, "-e", "print ENV['X'] + $stdin.read"], "r+") { |io| io.write("z"); io.close_write; io.read }
p IO.popen("-") { |io| io ? io.read : print("forked") }
require "open3"
p Open3.capture3("cat; echo e >&2; exit 6", stdin_data: "in").then { |o, e, s| [o, e, s.exitstatus] }
p Open3.pipeline_r("echo abc", "rev") { |io, _| io.read }
begin
  exec("/no/such/program")
rescue SystemCallError => e
  p e.class
end
RUBY
}

@test "users, names, hosts, time, encodings, temporary directories" {
    same_text 'UTF-8' <<'RUBY'
require "etc"
require "socket"
require "tmpdir"
require "tempfile"
p Etc.getpwuid.name, Etc.getpwnam("nobody").uid, Etc.getgrgid(0).name, Etc.getlogin, Dir.home, File.expand_path("~root")
p Etc.nprocessors, Etc.uname.values_at(:sysname, :machine), Process.uid, Process.groups
p Socket.gethostname, Addrinfo.tcp("localhost", 80).ip?, Socket.getservbyname("https")
p Time.at(0).zone, Time.at(0).to_s, Time.now.utc_offset
p Encoding.default_external, Encoding.default_internal, __ENCODING__, Encoding.find("locale"), Encoding.find("filesystem")
p Dir.tmpdir, Dir.mktmpdir { |dir| File.stat(dir).mode.to_s(8) }, Tempfile.create { |f| File.dirname(f) }
p RUBY_VERSION, RUBY_PLATFORM, RUBY_DESCRIPTION, Process.clock_getres(:CLOCK_MONOTONIC)
p Process.getrlimit(:NOFILE), File.umask, Process.getpriority(Process::PRIO_PROCESS, 0), Signal.list.size
p Encoding.list.size, Integer::MAX rescue p $!.class
def deep(n) = deep(n + 1) rescue n
p deep(0) > 5000
RUBY
    local set
    for set in TZ=Asia/Tokyo TZ=America/New_York LC_ALL=C LC_ALL=C.UTF-8 LANG= TMPDIR=/var/tmp TMPDIR=/nowhere \
        LC_ALL=xx_XX; do
        before=("$set")
        same_text 'ended: 0' <<'RUBY'
require "tmpdir"
p Time.at(0).zone, Time.at(1_700_000_000).to_s, Dir.tmpdir
p Encoding.default_external, Encoding.find("locale"), "ä".inspect, ENV["LC_ALL"]
RUBY
    done
}

@test "HOME: unset, of nobody, not writable" {
    local home
    for home in /nonexistent /proc '' relative; do
        before=("HOME=$home")
        same_text 'ended: 0' <<'RUBY'
require "tmpdir"
require "bundler" unless ARGV[0]
p((Dir.home rescue $!.class), (File.expand_path("~") rescue $!.class), Dir.tmpdir, ENV["HOME"])
RUBY
    done
    variables=("${variables[@]/HOME=*/NO_HOME=}")
    before=()
    same_text '"/root"' <<<'require "etc"; p Dir.home, Etc.getpwuid.dir, ENV["HOME"]'
}

@test "the host's names: /etc/hosts, also where there is no resolver's configuration" {
    printf '127.0.0.1 localhost\n192.0.2.7 rucksack.test alias.test\n' >"$BATS_TEST_TMPDIR/hosts"
    cat >"$text" <<'RUBY'
require "socket"
require "resolv"
p Addrinfo.getaddrinfo("rucksack.test", 80, nil, :STREAM).map(&:ip_address), IPSocket.getaddress("alias.test")
p Resolv::Hosts.new.getaddress("rucksack.test"), Addrinfo.tcp("192.0.2.7", 80).getnameinfo[0]
p((IPSocket.getaddress("no-such-name.test") rescue $!.class))
RUBY
    # shellcheck disable=SC2016 # the inner shell's
    local inside='mount --bind "$0" /etc/hosts && exec "$@"'
    run -0 unshare -mn sh -c "$inside" "$BATS_TEST_TMPDIR/hosts" ruby "$text"
    local native=$output
    run -0 unshare -mn sh -c "$inside" "$BATS_TEST_TMPDIR/hosts" "$bundle" exec ruby "$text"
    [ "$output" = "$native" ]
    [[ $output == *'["192.0.2.7"]'* ]]
    guestbook=$bundle make_busybox_root "$root"
    mkdir "$root/etc"
    cp "$BATS_TEST_TMPDIR/hosts" "$root/etc/hosts"
    cp "$text" "$root/srv/text.rb"
    run -0 run_in --fuse --user $user "$root" /srv/guestbook.AppImage exec ruby /srv/text.rb
    [ "$output" = "$native" ]
}

@test "no network: the same errors, and servers of our own" {
    cat >"$text" <<'RUBY'
require "net/http"
require "socket"
p((TCPSocket.new("192.0.2.1", 80) rescue $!.class), (Net::HTTP.get(URI("http://rucksack.invalid/")) rescue $!.class))
p Socket.ip_address_list.map(&:ip_address), Socket.getifaddrs.map(&:name)
UNIXServer.open("#{ARGV[0]}/socket") { |s| UNIXSocket.new("#{ARGV[0]}/socket").write("x"); p s.accept.read(1) }
RUBY
    rm -f "$BATS_TEST_TMPDIR/socket"
    run -0 unshare -n ruby "$text" "$BATS_TEST_TMPDIR"
    local native=$output
    rm "$BATS_TEST_TMPDIR/socket"
    run -0 unshare -n "$bundle" exec ruby "$text" "$BATS_TEST_TMPDIR"
    [ "$output" = "$native" ]
    [[ $output == *ENETUNREACH*'"x"' ]]
}

# in_place COMMAND...: as an ordinary user, where this shell is.
in_place() {
    local code=0
    env -i "${variables[@]}" timeout 60 setpriv --reuid $user --regid $user --clear-groups "$@" \
        <"$text" 2>&1 3>&- || code=$?
    echo "ended: $code"
}

@test "a working directory that cannot be read, was removed, or is the root" {
    cp "$RUCKSACK_BUILD/tool.AppImage" /tmp/rucksack-children-tool.$$
    local tool=/tmp/rucksack-children-tool.$$ dir native
    cat >"$text" <<'RUBY'
require "json"
p((Dir.pwd rescue $!.class), (Dir.children(".").size.positive? rescue $!.class), `echo child`, JSON.generate([1]))
p((File.expand_path("x") rescue $!.class), (`pwd` rescue $!.class), $?.exitstatus)
RUBY
    mkdir -m 711 "/tmp/rucksack-children-dir.$$"
    for dir in "/tmp/rucksack-children-dir.$$" "/tmp/rucksack-children-dir.$$/gone" /; do
        mkdir -p "$dir"
        cd "$dir"
        [[ $dir != */gone ]] || rmdir "$dir"
        native=$(in_place ruby -e 'eval($stdin.read, binding, "text")')
        [ "$(in_place "$tool")" = "$native" ]
        [[ $native == *child*'ended: 0' ]]
    done
    cd /
    rm -r "$tool" "/tmp/rucksack-children-dir.$$"
}

# The user's environment for another Ruby. PATH, and what the tool adds for a start, are left out.
foreign=(RUBYOPT=-rno_such_file RUBYLIB=/nowhere/lib GEM_HOME=/nowhere/gems GEM_PATH=/nowhere/a:/nowhere/b
    BUNDLE_GEMFILE=/nowhere/Gemfile BUNDLE_PATH=/nowhere BUNDLE_WITHOUT=default BUNDLER_VERSION=9.9
    LD_LIBRARY_PATH=/nowhere/lib 'RUBYSHELL=a;b%c' GEM_SPEC_CACHE=ä)

@test "variables of another Ruby: ignored, and handed on unchanged to foreign children" {
    env -i "${variables[@]}" "${foreign[@]}" A=1 RACK_ENV=x MALLOC_ARENA_MAX=3 sh -c 'env' |
        grep -vE '^(PATH|_|SHLVL|PWD|OLDPWD)=' | sort >"$BATS_TEST_TMPDIR/native"
    local program=$text way
    cat >"$program" <<'RUBY'
require "bundler/setup"
require "puma"
case ARGV[0]
when "system" then system("env")
when "shell" then system("env;")
when "spawn" then Process.wait(spawn("env"))
when "popen" then print IO.popen("env", &:read)
when "fork" then Process.wait(fork { exec("env") })
when "unbundled" then Bundler.with_unbundled_env { system("env") }
when "through" then system(RbConfig.ruby, "-e", "system('env')")
when "exec" then exec("env")
when "system3" then C.call("system", :int, "env")
when "popen3" then C.read("env")
end
RUBY
    { calls_of_c; cat "$program"; } >"$program.c" && mv "$program.c" "$program"
    for way in system shell spawn popen fork through exec system3 popen3; do
        children_see $way
        diff "$BATS_TEST_TMPDIR"/{native,bundle}
    done
}

# children_see WORD: what `env` prints as the program's child, in $BATS_TEST_TMPDIR/bundle.
children_see() {
    env -i "${variables[@]}" "${foreign[@]}" A=1 RACK_ENV=x MALLOC_ARENA_MAX=3 \
        "$bundle" exec ruby "$text" "$1" >"$BATS_TEST_TMPDIR/all" 2>"$BATS_TEST_TMPDIR/errors"
    [ ! -s "$BATS_TEST_TMPDIR/errors" ] || {
        cat "$BATS_TEST_TMPDIR/errors"
        return 1
    }
    grep -vE '^(PATH|_|SHLVL|PWD|OLDPWD|APPDIR|APPIMAGE|OWD|RUCKSACK_[A-Z]*)=' "$BATS_TEST_TMPDIR/all" |
        sort >"$BATS_TEST_TMPDIR/bundle"
}

# libc's functions, as an extension in C calls them.
calls_of_c() {
    cat <<'RUBY'
require "fiddle"
module C
  TYPES = { int: Fiddle::TYPE_INT, pointer: Fiddle::TYPE_VOIDP }.freeze

  def self.call(name, type, *arguments)
    $stdout.flush
    types = arguments.map { |a| a.is_a?(Integer) ? Fiddle::TYPE_INT : Fiddle::TYPE_VOIDP }
    Fiddle::Function.new(Fiddle.dlopen(nil)[name], types, TYPES[type]).call(*arguments)
  end

  def self.read(command, mode = "r")
    stream = call("popen", :pointer, command, mode)
    fd = call("fileno", :int, stream)
    print IO.for_fd(fd, autoclose: false).read
    call("pclose", :int, stream)
  end
end
RUBY
}

@test "system(3), popen(3) and pclose(3) of an extension in C" {
    before=(GEM_SPEC_CACHE=/nowhere) # something to give back
    { calls_of_c; cat; } >"$text" <<'RUBY'
p C.call("system", :int, nil) != 0
["exit 7", "kill -TERM $$", "no-such-command 2>/dev/null", "exit 0"].each { |c| p C.call("system", :int, c) }
p C.call("system", :int, "sleep 0.1; kill -INT $PPID; trap"), trap("INT", "DEFAULT")
p C.read("echo out; exit 5"), C.read("echo more", "re"), C.read("no-such-command 2>&1 | sed 's/.*not/not/'")
stream = C.call("popen", :pointer, "tr a-z A-Z; exit 3", "w")
second = C.call("popen", :pointer, "cat", "w")
C.call("fputs", :int, "written\n", stream)
# Ends only if the second one has not inherited the first one's end.
p C.call("pclose", :int, stream), C.call("pclose", :int, second)
p C.call("popen", :pointer, "true", "x").null?, C.call("popen", :pointer, "true", "rw").null?
300.times { |i| C.read("echo #{i}") if (i % 100).zero? }
p Dir.children("/proc/self/fd").size, Process.wait rescue p $!.class
# Of our own children: they are ours.
p C.call("system", :int, "ruby -rfiddle -e 'puts 1' && env | grep ^GEM_SPEC")
RUBY
    same 'GEM_SPEC_CACHE=/nowhere' ruby "$text"
    [[ $output == *'ended: 0' ]]
}

@test "variables of another Ruby: what the app unsets is not handed on" {
    env -i "${variables[@]}" "${foreign[@]}" A=1 RACK_ENV=x MALLOC_ARENA_MAX=3 sh -c 'env' |
        grep -vE '^(PATH|_|SHLVL|PWD|OLDPWD|GEM_HOME|RUBYSHELL)=' | sort >"$BATS_TEST_TMPDIR/native"
    cat >"$text" <<'RUBY'
require "open3"
unset = { "GEM_HOME" => nil, "RUBYSHELL" => nil, "NO_SUCH" => nil }
case ARGV[0]
when "spawn" then Process.wait(spawn(unset, "env"))
when "process" then Process.wait(Process.spawn(unset, ["env", "env"], in: :close))
when "system" then system(unset, "env")
when "shell" then Kernel.system(unset, "env;", exception: true)
when "exec" then exec(unset, "env")
when "popen" then print IO.popen(unset, "env", &:read)
when "list" then print IO.popen([unset, "env"], "r", err: File::NULL, &:read)
when "open3" then print Open3.capture2(unset, "env")[0]
when "delete"
  p ENV.delete("GEM_HOME") if ENV.delete("GEM_HOME")
  ENV["RUBYSHELL"] = nil
  system("env")
when "update"
  ENV.update("GEM_HOME" => nil)
  ENV.merge!("RUBYSHELL" => nil)
  system("env")
when "ractor" then Ractor.new(unset) { |u| Process.wait(spawn(u, "env")) }.then { |r| r.respond_to?(:value) ? r.value : r.take }
when "through" then system(RbConfig.ruby, "-e", "system({ 'GEM_HOME' => nil, 'RUBYSHELL' => nil }, 'env')")
when "again" then system(unset, RbConfig.ruby, "-e", "system('env')")
end
RUBY
    sed -i '1i Warning[:experimental] = false' "$text"
    for way in spawn process system shell exec popen list open3 delete update ractor through again; do
        children_see $way
        diff "$BATS_TEST_TMPDIR"/{native,bundle} || {
            echo "by $way"
            return 1
        }
    done
    # Who wants no others gets none of those either.
    echo 'exec({"GEM_HOME" => nil, "A" => "1"}, "env", unsetenv_others: true)' >"$text"
    run -0 env -i "${variables[@]}" "${foreign[@]}" "$bundle" exec ruby "$text"
    [ "$output" = A=1 ]
    # All of them: nothing is left.
    echo 'system(ARGV.to_h { |name| [name, nil] }, "env")' >"$text"
    env -i "${variables[@]}" "${foreign[@]}" "$bundle" exec ruby "$text" "${foreign[@]%%=*}" >all
    run ! grep -E "^(RUCKSACK_ENV|$(IFS='|' && echo "${foreign[*]%%=*}"))=" all
}

@test "variables of another Ruby: one line on a terminal says so, and no value" {
    local on_terminal=(env -i "${variables[@]}" TERM=xterm "${foreign[@]}" script -qec)
    run -0 "${on_terminal[@]}" "$bundle exec ruby -e 'puts 1; exec ENV.fetch(%q(APPIMAGE)), %q(exec), %q(ruby), %q(-e), %q(puts 2)'" \
        /dev/null
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[0]} == 'rucksack: ignored variables of other programs: '* ]]
    diff <(tr -d '\r' <<<"${lines[0]#*: *: }" | tr ' ' '\n' | sort) \
        <(printf '%s\n' "${foreign[@]%%=*}" | sort)
    [ "${lines[2]%$'\r'}" = 2 ]
    run -0 env -i "${variables[@]}" "${foreign[@]}" "$bundle" exec ruby -e 'puts 1'
    [ "$output" = 1 ]
    run -0 env -i "${variables[@]}" TERM=xterm script -qec "$bundle exec ruby -e 'puts 1'" /dev/null
    [ "${output%$'\r'}" = 1 ]
}

@test "rake, irb, rspec: by name and by bundle exec" {
    same 'all words' bundle exec rake 'all[words]'
    [[ $output == base* ]]
    same 'child of rake' bundle exec rake child
    # The lines below name Bundler's own files.
    same 'ended: 1' bash -c 'set -o pipefail; "$@" 2>&1 | grep -v "^/"' sh bundle exec rake fails
    [[ $output == *'Command failed with status (3)'* ]]
    local rspec='set -o pipefail; bundle exec rspec --no-color --seed 1 | grep -v "^Finished in"'
    same '1 example, 0 failures' bash -c "$rspec"
    before=(FAIL=1)
    same '2 examples, 1 failure' bash -c "$rspec"
    before=()
    input=$BATS_TEST_TMPDIR/lines
    printf '6 * 7\nrequire "json"; {a: 1}.to_json\n1 +\n2\nexit 3\n' >"$input"
    same '42' bundle exec irb -f
    [[ $output == *'{\"a\":1}'*$'\n3\n'* ]]
    input=/dev/null
    run -0 "$bundle" exec rake base
    run -0 "$bundle" exec rspec --version
    run -0 "$bundle" exec irb --version
}

# serve COMMAND...: in a network of its own, until it answers.
serve() {
    log=$BATS_TEST_TMPDIR/log
    env -i "${variables[@]}" "${before[@]}" unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@" \
        >"$log" 2>&1 </dev/null 3>&- &
    pid=$!
    wait_until_up
}

# The processes that answer, until there are so many; each must be a child of the server.
workers() {
    local answer seen=""
    for _ in $(seq 400); do
        answer=$(request / --max-time 60) || return 1
        read -ra answer <<<"$answer"
        [ "${answer[0]}" = "${2:-$pid}" ] || continue
        [[ " $seen " == *" ${answer[1]} "* ]] || seen+=" ${answer[1]}"
        [ "$(wc -w <<<"$seen")" -lt "$1" ] || break
    done
    tr ' ' '\n' <<<"${seen# }" | sort
}

# Until nobody of those answers; a request that fails is an error all the same.
replaced() {
    local now
    for _ in $(seq 200); do
        now=$(workers 2 "${2:-}")
        [ -n "$(comm -12 <(echo "$1") <(echo "$now"))" ] || [ "$(wc -l <<<"$now")" != 2 ] || {
            echo "$now"
            return 0
        }
        sleep 0.1
    done
    cat "$log" >&2
    return 1
}

end_of() {
    local code=0
    kill "-$1" "$pid"
    wait "$pid" || code=$?
    pid=
    nothing_left "$BATS_TEST_TMPDIR" || return 1
    echo "ended: $code"
}

# both NAME COMMAND...: what the function NAME says of the server, natively and in the bundle.
both() {
    local native
    run "$1" bundle exec "${@:2}"
    native=$output
    [ "$status" = 0 ] || return 1
    run "$1" "$bundle" exec bundle exec "${@:2}"
    [ "$output" = "$native" ] && [ "$status" = 0 ] && [[ $output == *ended:* ]]
}

restarts_of_puma() {
    local first second third
    serve "$@" && first=$(workers 2) && wc -l <<<"$first" || return 1
    kill -USR1 "$pid"
    second=$(replaced "$first") || return 1
    echo "phased restart: $(wc -l <<<"$second") others"
    kill -USR2 "$pid"
    third=$(replaced "$second") || return 1
    echo "hot restart: $(wc -l <<<"$third") others, $(grep -c 'Restarting...' "$log") restart"
    end_of TERM
}

@test "Puma: a cluster, phased restart, hot restart, all requests answered" {
    both restarts_of_puma puma -C puma.rb -b tcp://127.0.0.1:9292
    [[ $output == *'hot restart: 2 others, 1 restart'* ]]
}

activated_puma() {
    serve ruby activate.rb "$@" && workers 2 | wc -l && grep -o '[A-Z][a-z]* tcp.*' "$log" &&
        end_of TERM
}

@test "Puma: a socket that systemd listens on" {
    both activated_puma puma -C puma.rb -b tcp://127.0.0.1:9292
    [[ $output == *[iI]'nherited tcp://127.0.0.1:9292'* || $output == *'Activated tcp://127.0.0.1:9292'* ]]
}

restart_of_unicorn() {
    local next=
    before=("PIDFILE=$BATS_TEST_TMPDIR/unicorn.pid")
    serve "$@" && workers 1 | wc -l || return 1
    kill -USR2 "$pid"
    for _ in $(seq 100); do
        next=$(cat "$BATS_TEST_TMPDIR/unicorn.pid" 2>/dev/null) || true
        [ -z "$next" ] || [ "$next" = "$pid" ] || break
        sleep 0.1
    done
    workers 1 "$next" | wc -l
    kill -QUIT "$pid"
    wait "$pid" || return 1
    pid=$next
    workers 1 | wc -l
    kill -QUIT "$pid"
    pid=
    nothing_left "$BATS_TEST_TMPDIR" && echo "ended: both"
}

@test "Unicorn: workers, and a new binary takes over" {
    both restart_of_unicorn unicorn -c unicorn.rb
    [ "$output" = $'1\n1\n1\nended: both' ] || {
        echo "$output"
        return 1
    }
}

falcon_serves() {
    serve "$@" && workers 2 | wc -l && end_of INT
}

@test "Falcon: forked and threaded" {
    both falcon_serves falcon serve --forked --count 2 --bind http://127.0.0.1:9292
    [[ $output == 2* ]]
}

@test "Falcon and Unicorn listen on PORT though nobody told them" {
    local gem answer tries
    for gem in falcon unicorn; do
        mkdir "$BATS_TEST_TMPDIR/$gem"
        cd "$BATS_TEST_TMPDIR/$gem"
        grep -E "^source|^gem \"$gem\"" "$BATS_TEST_DIRNAME/children/Gemfile" >Gemfile
        echo 'gem "rack"' >>Gemfile
        echo 'run ->(_) { [200, {}, ["served"]] }' >config.ru
        ln -s "$app/vendor" vendor
        bundle config set --local path vendor/bundle
        bundle install --local --quiet
        "$rucksack" build --fast --no-check --quiet -o ../"$gem.AppImage" .
        PORT=9393 RUCKSACK_STATE=$PWD/state ../"$gem.AppImage" run web >../log 2>&1 3>&- &
        pid=$!
        for tries in $(seq 100); do
            answer=$(curl -s -m 2 http://127.0.0.1:9393/) && break
            sleep 0.1
        done
        kill -TERM "$pid"
        wait "$pid" || true
        pid=
        echo "$gem: $answer after $tries"
        [ "$answer" = served ]
    done
}

sidekiq_works() {
    local made=$BATS_TEST_TMPDIR/made
    rm -f "$made"
    before=("REDIS_URL=unix://$BATS_TEST_TMPDIR/redis.sock")
    env -i "${variables[@]}" "${before[@]}" "$@" -r ./job.rb -c 1 >"$BATS_TEST_TMPDIR/log" 2>&1 \
        </dev/null 3>&- &
    pid=$!
    env -i "${variables[@]}" "${before[@]}" "${@:1:$#-1}" ruby -e \
        'require "./job"; puts Job.perform_async(*ARGV).size' "$made" made </dev/null >"$BATS_TEST_TMPDIR/asked" || return 1
    grep -x 24 "$BATS_TEST_TMPDIR/asked" || return 1
    for _ in $(seq 200); do
        [ ! -s "$made" ] || break
        sleep 0.1
    done
    cat "$made"
    echo
    kill -TSTP "$pid"
    end_of TERM
}

@test "Sidekiq: a job, quiet, and a clean end" {
    redis-server --port 0 --unixsocket "$BATS_TEST_TMPDIR/redis.sock" --save '' --dir "$BATS_TEST_TMPDIR" \
        >"$BATS_TEST_TMPDIR/redis.log" 2>&1 3>&- &
    local redis=$!
    for _ in $(seq 100); do
        [ ! -S "$BATS_TEST_TMPDIR/redis.sock" ] || break
        sleep 0.1
    done
    both sidekiq_works sidekiq
    [[ $output == *'made by 3.'*'ended: 0' ]]
    kill $redis
}
