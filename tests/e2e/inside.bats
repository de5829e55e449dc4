#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What programs find inside a bundle: our Ruby and gems for our children, the user's environment for
# everybody else's. In a root that holds nothing but busybox.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
    make_guestbook
}

setup() {
    make_enter
    root=$BATS_TEST_TMPDIR/root
    way=
    make_busybox_root "$root"
}

teardown() {
    stop KILL
    drop_roots
}

# inside COMMAND...: by the bundle's `exec`.
inside() {
    run --separate-stderr run_in --loop "$root" /srv/guestbook.AppImage exec "$@"
}

# The same with variables of the user: with_variables NAME=VALUE... -- COMMAND...
with_variables() {
    local variables=()
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    run --separate-stderr run_in --loop "$root" /bin/env "${variables[@]}" \
        /srv/guestbook.AppImage exec "${@:2}"
}

@test "ruby -v, by name and by RbConfig.ruby" {
    inside ruby -v
    [ "$status" -eq 0 ]
    [[ $output == "ruby "* ]]
    [ -z "$stderr" ]
    inside ruby -e 'exec RbConfig.ruby, "-e", "puts RbConfig.ruby, 6 * 7"'
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == /*/m/usr/bin/ruby* ]]
    [ "${lines[1]}" = 42 ]
}

@test "the load path, gem paths and loaded features are the image's" {
    inside ruby -e 'puts $LOAD_PATH, Gem.path, Gem.default_dir, $LOADED_FEATURES.grep(%r{^/})'
    [ "$status" -eq 0 ]
    [ -z "$(grep -vE '^(/[a-z0-9-]+)+/[0-9a-f]{12}/m/' <<<"$output")" ]
}

@test "a child sees no variable of the loader, Ruby or Bundler that the user did not set" {
    inside ruby -e 'require "bundler/setup"; Bundler.require; Bundler.definition; system("env")'
    [ "$status" -eq 0 ]
    [ -z "$(grep -E '^(LD_|RUBY|GEM_|BUNDLE|LOCPATH|GCONV_PATH)' <<<"$output")" ]
    grep -q '^PATH=/[^:]*/m/.rucksack/bin:' <<<"$output"
}

@test "variables that lead a library into the image reach our children, and nobody else's" {
    inside ruby -e 'puts ENV["OPENSSL_CONF"]; $stdout.flush
        system("env")
        system("sh", "-c", "ruby -e \"puts %q(ours ) + ENV.fetch(%q(OPENSSL_CONF))\"")'
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == /*/m/usr/lib/ssl/openssl.cnf ]]
    grep -qx "ours ${lines[0]}" <<<"$output"
    [ -z "$(grep -E '^(OPENSSL|TERMINFO|TZDIR|SSL_CERT)' <<<"$output")" ]
    with_variables OPENSSL_CONF=/etc/mine -- ruby -e 'system("env")'
    grep -qx OPENSSL_CONF=/etc/mine <<<"$output"
}

@test "the user's variables do not disturb the app, and foreign children get them unchanged" {
    local values=(LD_LIBRARY_PATH=/nowhere RUBYOPT=-rnothing RUBYLIB=/nowhere GEM_HOME=/nowhere
        GEM_PATH=/nowhere BUNDLE_GEMFILE=/nowhere/Gemfile LD_PRELOAD='' "BUNDLE_PATH=a;b%c")
    with_variables "${values[@]}" -- ruby -e '
        require "sinatra/base"
        system("env")
        system(RbConfig.ruby, "-e", "require %q(sqlite3); puts %q(child ok)")
        system("sh", "-c", "ruby -e %q(puts :nested)".sub("%q(puts :nested)", "\"puts :nested\""))'
    [ "$status" -eq 0 ]
    local value
    for value in "${values[@]}"; do
        grep -qxF "$value" <<<"$output"
    done
    grep -qx 'child ok' <<<"$output"
    grep -qx 'nested' <<<"$output"
}

@test "what the app sets itself reaches its Ruby children" {
    inside ruby -e 'ENV["RUBYOPT"] = "-W:no-experimental"; system("ruby", "-e", "puts ENV[%q(RUBYOPT)]")'
    [ "$output" = -W:no-experimental ]
}

@test "every gem of the lock can be required" {
    inside ruby -e '
        require "bundler/setup"
        Bundler.require(:default)
        names = Gem.loaded_specs.keys - %w[bundler]
        special = {"nio4r" => "nio", "rack-protection" => "rack/protection",
                   "rack-session" => "rack/session"}
        names.each { |name| require special.fetch(name, name) }
        puts names.sort.join(" ")'
    [ "$status" -eq 0 ]
    [[ $output == *mustermann*nio4r*puma*rack*sinatra*sqlite3*tilt* ]]
    [[ $output != *rack-test* ]]
}

@test "every extension of the standard library loads" {
    inside ruby -e '
        %w[openssl json socket zlib fiddle psych readline digest/sha2 date bigdecimal nkf ripper
           io/console etc strscan stringio pathname].each { |name| require name }
        puts "ä".encode("ISO-2022-JP", undef: :replace).bytesize, Encoding.default_external
        puts OpenSSL::Digest::SHA256.hexdigest("")[0, 8]'
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = UTF-8 ]
    [ "${lines[2]}" = e3b0c442 ]
}

@test "bundle exec, bundle list and binstubs" {
    inside bundle exec puma --version
    [ "$status" -eq 0 ]
    [[ $output == "puma version "* ]]
    inside puma --version
    [[ $output == "puma version "* ]]
    inside bundle exec ruby -e 'puts Bundler.root, Gem.loaded_specs["sinatra"].name'
    [[ ${lines[0]} == */m/app ]]
    [ "${lines[1]}" = sinatra ]
    inside bundle list
    [ "$status" -eq 0 ]
    [[ $output == *"sinatra ("* ]]
    inside bundle install
    [ "$status" -eq 1 ]
    [[ $stderr == *"read-only"* ]]
    inside bundle exec no-such-command
    [ "$status" -eq 127 ]
}

@test "Process.daemon keeps the image" {
    inside ruby -e '
        Process.daemon
        sleep 1
        require "sinatra/base"
        File.write("/srv/daemon", Sinatra::VERSION)'
    [ "$status" -eq 0 ]
    local i
    for i in $(seq 50); do
        [ -s "$root/srv/daemon" ] && break
        sleep 0.1
    done
    [ -s "$root/srv/daemon" ]
    nothing_left "$root"
}

@test "exit status, signals, arguments and standard input are the program's own" {
    inside ruby -e 'exit 7'
    [ "$status" -eq 7 ]
    inside ruby -e 'Process.kill(:TERM, $$); sleep'
    [ "$status" -eq 143 ]
    inside ruby -e 'p ARGV, $0' -- --version '' 'a b' $'\xff'
    [ "${lines[0]}" = '["--version", "", "a b", "\xFF"]' ]
    inside no-such-command
    [ "$status" -eq 127 ]
    run --separate-stderr run_in --loop "$root" /srv/guestbook.AppImage nonsense
    [ "$status" -eq 127 ]
    [[ $stderr == *"unknown verb 'nonsense'"* ]]
}

@test "a state directory that cannot be written is an error, never another place" {
    chmod 555 "$root/srv"
    run --separate-stderr run_in --user $user --chroot "$root" /srv/guestbook.AppImage
    [ "$status" -eq 125 ]
    [[ $stderr == *E-WRITE*/srv/guestbook.state* ]]
    [[ $stderr == *"hint: "*RUCKSACK_STATE=* ]]
}

@test "who writes into the image is told what to do; who writes elsewhere is not" {
    inside ruby -e 'Dir.chdir("/"); File.write(File.join(ENV["APPDIR"], "app/new"), "")'
    [ "$status" -eq 1 ]
    [[ $stderr == *"Read-only file system"*"/app/new (E-WRITE: "*"as state) (Errno::EROFS)"* ]]
    inside ruby -e '
        Dir.chdir(File.join(ENV["APPDIR"], "app"))
        [-> { Dir.mkdir("new") }, -> { File.rename("config.ru", "other") }].each do |call|
            call.call
        rescue Errno::EROFS => e
            puts e.message[/E-WRITE/]
        end
        puts Errno::EROFS.new("/proc/x").message, Errno::EROFS.new.message
        puts Errno::EROFS.new("größe").message.encoding'
    [ "$output" = "$(printf '%s\n' E-WRITE E-WRITE 'Read-only file system - /proc/x' 'Read-only file system' UTF-8)" ]
}

@test "the file can be replaced while its state stays" {
    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    [ "$(status_of /entries -d 'name=Ada&text=kept')" = 303 ]
    cp "$guestbook" "$root/srv/new"
    mv "$root/srv/new" "$root/srv/guestbook.AppImage"
    [ "$(status_of /)" = 200 ]
    stop TERM
    start --loop "$root" /srv/guestbook.AppImage
    wait_until_up
    request /entries.json | grep -q '"text":"kept"'
}

@test "default gems are what RubyGems finds, though their specifications are read late" {
    # Whatever RubyGems would find, the index leads to.
    inside ruby -e '
      Gem::Specification.each_spec([Gem.default_specifications_dir]) { |spec| Gem.register_default_spec(spec) }
      all = Gem.instance_variable_get(:@path_to_default_spec_map)
      missed = all.reject { |path, spec| Gem::RucksackDefaults.files(path).include?(File.basename(spec.loaded_from)) }
      puts all.size, missed.keys'
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [ "${lines[0]}" -gt 100 ]
    # Not one is read for what no gem has, nor for a path.
    inside ruby -e '
      before = ObjectSpace.each_object(Gem::Specification).count
      ["", "/", "/json", "no/such", "../json", ".rb"].each { |path| p Gem.find_unresolved_default_spec(path) }
      puts ObjectSpace.each_object(Gem::Specification).count - before'
    [ "$(tr '\n' ' ' <<<"$output")" = "nil nil nil nil nil nil 0 " ]
    # Natively the same gems are active after the same files.
    local script='%w[json openssl set csv.rb erb net/http psych bigdecimal.so io/console monitor]
      .each { |file| require file }
      puts Gem.loaded_specs.values.map(&:full_name).sort'
    inside ruby -e "$script"
    [ "$output" = "$(cd / && env -u RUBYOPT -u RUBYLIB GEM_HOME=/nowhere GEM_PATH=/nowhere ruby -e "$script")" ]
}

@test "what tunes any Ruby tunes ours" {
    with_variables RUBY_THREAD_VM_STACK_SIZE=2097152 RUBYOPT=-W0 -- \
        ruby -e 'p RubyVM::DEFAULT_PARAMS[:thread_vm_stack_size], ENV["RUBYOPT"]'
    [ "$status" -eq 0 ]
    [ "$output" = $'2097152\nnil' ]
}
