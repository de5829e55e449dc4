# SPDX-License-Identifier: MIT
# plant.rb secrets|lookalikes DIR: writes that table's files, one for each name. No secret stands in
# this file: keys are made, tokens are random.
require "base64"
require "fileutils"
require "openssl"
require "securerandom"

def key(type = nil)
  @key ||= OpenSSL::PKey::RSA.new(1024)
  @ec ||= OpenSSL::PKey::EC.generate("prime256v1")
  case type
  when :ec then @ec.to_pem
  when :locked then @key.to_pem(OpenSSL::Cipher.new("aes-128-cbc"), "password")
  when :public then @key.public_key.to_pem
  when :certificate then certificate.to_pem
  else @key.to_pem
  end
end

def certificate
  @certificate ||= OpenSSL::X509::Certificate.new.tap do |made|
    made.subject = made.issuer = OpenSSL::X509::Name.parse("/CN=localhost")
    made.not_before, made.not_after = Time.at(0), Time.at(2_000_000_000)
    made.public_key, made.serial = key_object.public_key, 1
    made.sign(key_object, "sha256")
  end
end

def key_object = OpenSSL::PKey.read(key)
def pem(title, bytes) = "-----BEGIN #{title}-----\n#{Base64.encode64(bytes)}-----END #{title}-----\n"
def alnum(count) = SecureRandom.alphanumeric(count)
def hex(count) = SecureRandom.hex(count / 2)

def database(dir, name, *statements)
  IO.popen(["sqlite3", File.join(dir, name)], "w", out: File::NULL) { |shell| shell.puts(statements) }
end

SECRETS = {
  ".env" => "PASSWORD=x\n",
  ".env.production" => "PASSWORD=x\n",
  "sub/.env.local" => "PASSWORD=x\n",
  ".envrc" => "export PASSWORD=x\n",
  "config/master.key" => -> { hex(32) },
  "config/credentials/production.key" => -> { hex(32) },
  "tls/server.key" => -> { key },
  "tls/server.pem" => -> { key(:certificate) + key },
  "tls/ec.pem" => -> { key(:ec) },
  "tls/locked.pem" => -> { key(:locked) },
  "tls/server.p12" => -> { OpenSSL::PKCS12.create("p", "n", key_object, certificate).to_der },
  "deploy/id_rsa" => -> { key },
  "deploy/id_ed25519" => -> { pem("OPENSSH PRIVATE KEY", "openssh-key-v1\0" + SecureRandom.bytes(200)) },
  "deploy/putty.ppk" => "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
  "deploy/signing.asc" => lambda {
    pem("PGP PRIVATE KEY BLOCK", SecureRandom.bytes(300)).sub("-----\n", "-----\nVersion: GnuPG v2\n\n")
  },
  ".git/config" => "[core]\n",
  ".netrc" => "machine a login b password c\n",
  ".aws/credentials" => "[default]\naws_secret_access_key = x\n",
  ".kamal/secrets" => "PASSWORD=x\n",
  ".bundle/config" => "---\nBUNDLE_GEMS__EXAMPLE__COM: \"user:#{"pass"}word\"\n",
  ".npmrc" => -> { "//registry/:_authToken=#{alnum(36)}\n" },
  "data/people.dat" => :rows,
  "data/places.bin" => :rows,
  "config/service.json" => lambda {
    %({"type": "service_account", "private_key": #{key.inspect}}\n)
  },
  "config/kube.yml" => -> { "users:\n- user:\n    client-key-data: #{Base64.strict_encode64(key)}\n" },
  "config/storage.yml" => -> { "amazon:\n  access_key_id: AKIA#{"QZ7WXV3T5RNPLMKD"}\n" },
  "lib/github.rb" => -> { "TOKEN = \"gh#{"p_"}#{alnum(36)}\"\n" },
  "lib/payment.rb" => -> { "Stripe.api_key = 'sk_#{"live_"}#{alnum(24)}'\n" },
  "docker-compose.yml" => -> { "environment:\n  - RAILS_MASTER_KEY=#{hex(32)}\n" },
  "release.key.txt" => lambda {
    "untrusted comment: rucksack secret key\n#{Base64.strict_encode64("Ed\0\0B2" + "\0" * 48 + SecureRandom.bytes(104))}\n"
  },
}.freeze

LOOKALIKES = {
  ".env.example" => "PASSWORD=\n",
  "sub/.env.sample" => "PASSWORD=\n",
  "config/environment.rb" => "ENV.fetch('PASSWORD')\n",
  "config/credentials.yml.enc" => -> { "#{Base64.strict_encode64(SecureRandom.bytes(300))}--#{alnum(16)}--#{alnum(24)}" },
  "tls/ca.pem" => -> { key(:certificate) },
  "tls/public.pem" => -> { key(:public) },
  "tls/chain.crt" => -> { key(:certificate) * 3 },
  "tls/request.csr" => -> { pem("CERTIFICATE REQUEST", SecureRandom.bytes(300)) },
  "tls/dhparam.pem" => -> { pem("DH PARAMETERS", SecureRandom.bytes(300)) },
  "tls/notes.p12" => "how to make a p12 file\n",
  "deploy/id_rsa.pub" => -> { "ssh-rsa #{Base64.strict_encode64(SecureRandom.bytes(279))} a@b\n" },
  "deploy/id_card.txt" => "name, photo\n",
  "deploy/public.asc" => -> { pem("PGP PUBLIC KEY BLOCK", SecureRandom.bytes(300)) },
  "lib/keys.rb" => "HEADER = '-----BEGIN RSA PRIVATE KEY-----'\nraise unless text.start_with?(HEADER)\n",
  "lib/pattern.rb" => "PEM = /-----BEGIN (RSA |EC )?PRIVATE KEY-----(.*?)-----END/m\n",
  "docs/keys.md" => "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
  "docs/aws.md" => "aws_access_key_id = AKIAIOSFODNN7#{"EXAMPLE"}\n",
  "docs/github.md" => "export TOKEN=gh#{"p_"}#{"x" * 36}\n",
  "docs/stripe.md" => -> { "use sk_test_#{alnum(24)}, not sk_live_...\n" },
  "docs/rails.md" => "RAILS_MASTER_KEY=$(cat config/master.key)\nRAILS_MASTER_KEY=<key>\n",
  "lib/git.rb" => "system 'git', 'rev-parse'\n",
  "lib/netrc.rb" => "File.join(Dir.home, '.netrc')\n",
  ".gitignore" => ".env\n",
  ".gitattributes" => "* text\n",
  "data/empty.dat" => :empty,
  "data/migrated.dat" => :migrated,
  "data/named.dat" => "SQLite format 3 is what this text is about\n",
  "config/locales/keys.yml" => "en:\n  key: secret\n  password: Password\n",
  "data/words.txt" => -> { "#{alnum(5000)}\n#{hex(5000)}\n#{Base64.encode64(SecureRandom.bytes(5000))}" },
  "blog.pub" => -> { "untrusted comment: rucksack public key\nRW#{Base64.strict_encode64(SecureRandom.bytes(41))[0, 54]}\n" },
}.freeze

table = {"secrets" => SECRETS, "lookalikes" => LOOKALIKES}.fetch(ARGV[0])
dir = ARGV[1]
table.each do |name, content|
  FileUtils.mkdir_p(File.dirname(File.join(dir, name)))
  case content
  when :rows then database(dir, name, "CREATE TABLE people (name);", "INSERT INTO people VALUES ('a');")
  when :empty then database(dir, name, "CREATE TABLE people (name);")
  when :migrated
    database(dir, name, "CREATE TABLE schema_migrations (version);", "CREATE TABLE people (name);",
             "INSERT INTO schema_migrations VALUES ('1');")
  when Proc then File.binwrite(File.join(dir, name), content.call)
  else File.binwrite(File.join(dir, name), content)
  end
  puts name
end
