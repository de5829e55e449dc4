# SPDX-License-Identifier: MIT
# Acceptance cases: one per gem that loads something interesting.
# Each case: gem, v (version seen to work on Ruby 3.1.2), cat, code (prints exactly `out`),
# optional: with (further gems), build (Debian packages to compile it), run (Debian packages
# whose files it needs at run time when it was compiled here), src (true: no precompiled gem
# for this platform), env (environment for the process), tmo (seconds).
# cat: pure | native (own .so) | fat (.so that ships its C library) | ffi (dlopen by name)
#      | exec (starts a program) | data (reads data files) | server | dev
# skip: why the case is not run; writes: what it writes into its own folder (fails on a read-only one)
C = []
def c(gem, v, cat, code, out, **o) = C << { gem: gem, v: v, cat: cat, code: code, out: out, **o }

# --- databases
c 'sqlite3', '2.8.1', :fat, 'd=SQLite3::Database.new(":memory:"); d.execute("create table t(a)"); 3.times{|i| d.execute("insert into t values(?)",[i*7])}; puts d.get_first_value("select sum(a) from t")', '21'
c 'pg', '1.7.0', :fat, 'puts PG.library_version>=90000, PG::Connection.quote_ident("a\"b"); begin; PG.connect("host=127.0.0.1 port=1 connect_timeout=2"); rescue PG::ConnectionBad; puts "refused"; end', "true\n\"a\"\"b\"\nrefused"
c 'sequel_pg', '1.20.0', :native, 'require "sequel"; puts defined?(Sequel::Postgres) ? 1 : 0 rescue puts 0; require "pg"; puts $".grep(/sequel_pg/).size>0', "0\ntrue", build: %w[libpq-dev], skip: 'needs a live server'
c 'tiny_tds', '3.4.1', :fat, 'begin; TinyTds::Client.new(username:"u",password:"p",host:"127.0.0.1",port:1,login_timeout:2); rescue TinyTds::Error; puts "refused"; end', 'refused', build: %w[freetds-dev]
c 'duckdb', '1.3.1.0', :native, 'd=DuckDB::Database.open; puts d.connect.query("select sum(i) from range(10) t(i)").first.first', '45', skip: 'needs libduckdb, no Debian package'
c 'sqlite-vec', '0.1.9', :data, 'require "sqlite3"; require "sqlite_vec"; d=SQLite3::Database.new(":memory:"); d.enable_load_extension(true); SqliteVec.load(d); puts d.get_first_value("select vec_length(\x27[1,2,3]\x27)")', '3', with: %w[sqlite3]
c 'hiredis-client', '0.31.0', :native, 'puts RedisClient::HiredisConnection.name', 'RedisClient::HiredisConnection'
c 'rdkafka', '0.22.2', :ffi, 'puts Rdkafka::Bindings.rd_kafka_conf_new.null? ? "no" : "ok"; require "logger"; Rdkafka::Config.logger=Logger.new(nil); p=Rdkafka::Config.new("bootstrap.servers"=>"127.0.0.1:1").producer; p.close; puts "closed"', "ok\nclosed"

# --- parsers, codecs
c 'nokogiri', '1.18.10', :fat, 'd=Nokogiri::HTML5("<ul><li>a<li>b</ul>"); puts d.css("li").map(&:text).join(","); puts Nokogiri::XSLT(%q(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="text"/><xsl:template match="/">n=<xsl:value-of select="count(//i)"/></xsl:template></xsl:stylesheet>)).transform(Nokogiri::XML("<r><i/><i/></r>")).text; puts Nokogiri::XML("<a>\xE9</a>".b, nil, "ISO-8859-1").text', "a,b\nn=2\né"
c 'ox', '2.14.29', :native, 'puts Ox.parse("<a x=\"1\"><b>t</b></a>").b.text', 't'
c 'oj', '3.17.8', :native, 'puts Oj.dump({"a"=>[1,nil,2.5]}, mode: :compat)', '{"a":[1,null,2.5]}'
c 'yajl-ruby', '1.4.3', :native, 'puts Yajl::Parser.parse("{\"k\":[1,2]}")["k"].sum', '3', req: %w[yajl]
c 'json', '3.1.0', :native, 'puts JSON.generate("é"=>1.0), JSON::VERSION', :any
c 'msgpack', '1.8.7', :native, 'puts MessagePack.unpack(MessagePack.pack("x"=>[1,2]))["x"].inspect', '[1, 2]'
c 'date', '3.6.0', :native, 'puts Date.new(2024,2,29).next_year', '2025-02-28'
c 'racc', '1.8.1', :native, 'require "racc/parser"; puts Racc::Parser::Racc_Runtime_Type', 'c'
c 'strscan', '3.1.8', :native, 's=StringScanner.new("ab12"); s.scan(/[a-z]+/); puts s.scan(/\d+/)', '12'
c 'stringio', '3.2.0', :native, 'puts StringIO.new("a\nb").readlines.size', '2'
c 'psych', '5.5.0', :native, 'puts Psych.load("a: [1, 2]\n").to_s', :any, build: %w[libyaml-dev], run: %w[libyaml-0-2]
c 'openssl', '4.0.2', :native, 'puts OpenSSL::Digest::SHA256.hexdigest("a")[0,8]; puts OpenSSL::PKey::EC.generate("prime256v1").group.curve_name; puts File.basename(OpenSSL::X509::DEFAULT_CERT_FILE)', "ca978112\nprime256v1\ncert.pem", build: %w[libssl-dev], run: %w[libssl3]
c 'google-protobuf', '4.35.1', :fat, 'require "google/protobuf/timestamp_pb"; t=Google::Protobuf::Timestamp.new(seconds: 5); puts Google::Protobuf::Timestamp.decode(t.to_proto).seconds', '5'
c 'grpc', '1.80.0', :fat, 's=GRPC::RpcServer.new; puts s.add_http2_port("127.0.0.1:0", :this_port_is_insecure)>0', 'true', tmo: 60
c 'commonmarker', '0.23.12', :fat, 'puts (defined?(Commonmarker) ? Commonmarker.to_html("**b**") : CommonMarker.render_html("**b**"))', '<p><strong>b</strong></p>'
c 'kramdown', '2.5.2', :pure, 'puts Kramdown::Document.new("# T").to_html', '<h1 id="t">T</h1>'
c 'charlock_holmes', '0.7.9', :native, 'puts CharlockHolmes::EncodingDetector.detect("caf\u00e9 d\u00e9j\u00e0 vu")[:encoding]', 'UTF-8', build: %w[libicu-dev zlib1g-dev], run: %w[libicu72]
c 'unf_ext', '0.0.9.1', :native, 'require "unf_ext"; puts UNF::Normalizer.new.normalize("e\u0301", :nfc).length', '1'
c 'levenshtein-ffi', '1.1.0', :ffi, 'require "levenshtein"; puts Levenshtein.distance("kitten","sitting")', '3', skip: 'loads ext/*.so by path; newer RubyGems cleans that file away (works with 3.3.15)'
c 'jaro_winkler', '1.7.0', :native, 'puts JaroWinkler.distance("MARTHA","MARHTA").round(4)', '0.9611'
c 'tzinfo-data', '1.2026.6', :data, 'require "tzinfo"; puts TZInfo::Timezone.get("Europe/Paris").utc_to_local(Time.utc(2024,7,1,12)).hour; puts TZInfo::DataSource.get.class', "14\nTZInfo::DataSources::RubyDataSource", with: %w[tzinfo]
c 'mimemagic', '0.4.3', :data, 'puts MimeMagic.by_path("a.png").type', 'image/png', run: %w[shared-mime-info]
c 'mail', '2.9.1', :pure, 'm=Mail.new("Subject: hi\r\n\r\nbody"); puts m.subject', 'hi'

# --- crypto
c 'ed25519', '1.4.0', :native, 'k=Ed25519::SigningKey.new("\x01"*32); puts k.verify_key.verify(k.sign("m"),"m")', 'true'
c 'x25519', '1.0.11', :native, 'a=X25519::Scalar.generate; b=X25519::Scalar.generate; puts a.diffie_hellman(b.public_key).to_bytes==b.diffie_hellman(a.public_key).to_bytes', 'true'
c 'rbnacl', '7.1.2', :ffi, 'puts RbNaCl::Hash.sha256("a").unpack1("H*")[0,8]', 'ca978112', run: %w[libsodium23]

# --- compression
c 'snappy', '0.5.2', :native, 'puts Snappy.inflate(Snappy.deflate("abc"*9)).size', '27', build: %w[libsnappy-dev cmake], run: %w[libsnappy1v5]
c 'lz4-ruby', '0.3.3', :native, 'puts LZ4::uncompress(LZ4::compress("abc"*9)).size', '27'
c 'extlz4', '0.3.5', :native, 'puts LZ4.decode(LZ4.encode("abc"*9)).size', '27'

# --- images, documents, web
c 'rmagick', '6.3.0', :native, 'i=Magick::Image.new(3,2){|o| o.background_color="red"}; i.format="PNG"; puts i.to_blob[1,3], Magick::Image.from_blob(i.to_blob)[0].columns', "PNG\n3", build: %w[libmagickwand-dev], run: %w[libmagickwand-6.q16-6 libmagickcore-6.q16-6]
c 'mini_magick', '5.4.0', :exec, 'i=MiniMagick::Image.read("P1\n2 2\n1 0 0 1\n","pbm"); puts i.width; i.resize "8x8"; i.format "png"; puts i.width, i.type', "2\n8\nPNG", run: %w[imagemagick]
c 'image_processing', '2.2.0', :ffi, 'require "vips"; Vips::Image.black(8,8).write_to_file("/tmp/ip-#{$$}.png"); f=ImageProcessing::Vips.source("/tmp/ip-#{$$}.png").resize_to_limit(4,4).call; puts Vips::Image.new_from_file(f.path).width; File.delete("/tmp/ip-#{$$}.png")', '4', run: %w[libvips42], with: %w[ruby-vips]
c 'prawn', '2.5.0', :data, 'd=Prawn::Document.new; d.text "hi"; puts d.render[0,5]', '%PDF-', with: %w[matrix]
c 'curb', '1.4.1', :native, 'File.write("/tmp/cu-#{$$}","data"); puts Curl.get("file:///tmp/cu-#{$$}").body; File.delete("/tmp/cu-#{$$}")', 'data', build: %w[libcurl4-openssl-dev], run: %w[libcurl4]
c 'typhoeus', '1.7.1', :ffi, 'r=Typhoeus.get("http://127.0.0.1:1/", timeout: 2); puts r.return_code', 'couldnt_connect', run: %w[libcurl4]
c 'wkhtmltopdf-binary', '0.12.6.10', :exec, 'exe=Gem.bin_path("wkhtmltopdf-binary","wkhtmltopdf"); puts IO.popen([RbConfig.ruby, exe, "--version"], &:read)[/wkhtmltopdf 0\.12/]; pdf=IO.popen([RbConfig.ruby, exe, "-q", "-", "-"], "r+b"){|p| p.write "<h1>Title</h1>"; p.close_write; p.read}; puts pdf[0,5], pdf.include?("/FontFile2")', "wkhtmltopdf 0.12\n%PDF-\ntrue", req: [], run: %w[libjpeg62-turbo libxrender1 libfontconfig1 libx11-6 fonts-dejavu-core]
c 'grover', '1.2.10', :exec, 'puts Grover.name', 'Grover'
c 'sassc', '2.4.0', :ffi, 'puts SassC::Engine.new("a{b:1px+2px}", style: :compressed).render', 'a{b:3px}'
c 'sass-embedded', '1.102.0', :exec, 'puts Sass.compile_string("a{b:1px+2px}", style: :compressed).css', 'a{b:3px}'
c 'dartsass-rails', '0.5.1', :exec, 'puts IO.popen([RbConfig.ruby, Gem.bin_path("sass-embedded","sass"), "--stdin", "--style=compressed"], "r+"){|p| p.write "a{b:1px+2px}"; p.close_write; p.read}', 'a{b:3px}', req: []
c 'mini_racer', '0.21.1', :fat, 'puts MiniRacer::Context.new.eval("[1,2,3].map(x=>x*2).join()")', '2,4,6', skip: 'prebuilt V8 wants glibc 2.38 (__isoc23_strtoll), Debian 12 has 2.36'
c 'execjs', '2.10.2', :exec, 'puts ExecJS.eval("[1,2].concat([3]).length")', '3', run: %w[nodejs]
c 'tailwindcss-ruby', '4.3.4', :exec, 'require "tailwindcss/ruby"; require "tmpdir"; Dir.mktmpdir{|d| File.write("#{d}/in.css", "@import \"tailwindcss\" source(none);\n@source inline(\"underline\");\n"); system(Tailwindcss::Ruby.executable, "-i", "#{d}/in.css", "-o", "#{d}/out.css", "--minify", err: File::NULL); puts File.read("#{d}/out.css").include?(".underline{text-decoration-line:underline}")}', 'true'
c 'thruster', '0.1.27', :exec, 'exe=File.join(Gem.loaded_specs["thruster"].gem_dir,"exe",Gem.platforms.last.to_s.sub("-gnu",""),"thrust"); ENV["HTTP_PORT"]="18480"; puts IO.popen([exe, RbConfig.ruby, "-e", "puts 6*7"], err: File::NULL, &:read)[/^42$/]', '42', req: []

# --- servers, frameworks
c 'puma', '8.0.2', :server, 'require "puma"; require "puma/server"; s=Puma::Server.new(->(e){[200,{},["pong"]]}); s.add_tcp_listener("127.0.0.1",0); pt=s.connected_ports[0]; s.run; require "net/http"; puts Net::HTTP.get("127.0.0.1","/",pt); s.stop(true)', 'pong'
c 'websocket-driver', '0.8.2', :native, 'require "websocket/driver"; puts WebSocket::Mask.mask("abcd","\x20\x20\x20\x20")', 'ABCD'
c 'eventmachine', '1.2.7', :native, 'EM.run{ EM.add_timer(0.01){ puts EM.library_type; EM.stop } }', 'extension', build: %w[libssl-dev]
c 'thin', '2.0.1', :server, 'puts Thin::HttpParser.name', 'Thin::HttpParser'
c 'unicorn', '6.1.0', :server, 'puts Unicorn::HttpParser.name', 'Unicorn::HttpParser'
c 'sinatra', '4.2.1', :pure, 'require "sinatra/base"; require "rack/mock"; a=Class.new(Sinatra::Base){set :environment,:production; get("/"){erb "<%= 6*7 %>"}}; puts Rack::MockRequest.new(a).get("/").body', '42', req: []
c 'roda', '3.109.0', :pure, 'require "rack/mock"; a=Class.new(Roda){plugin :json; route{|r| r.root{{a: 1}}}}; puts Rack::MockRequest.new(a.app).get("/").body', '{"a":1}'
c 'rackup', '2.3.1', :pure, 'puts Rackup::Handler.name', 'Rackup::Handler'
c 'webrick', '1.9.2', :server, 's=WEBrick::HTTPServer.new(Port:0,BindAddress:"127.0.0.1",Logger:WEBrick::Log.new(File::NULL),AccessLog:[]); s.mount_proc("/"){|q,r| r.body="hey"}; Thread.new{s.start}; require "net/http"; puts Net::HTTP.get("127.0.0.1","/",s.config[:Port]); s.shutdown', 'hey'
c 'rails', '7.2.4', :data, 'require "active_record"; require "active_support/all"; ActiveRecord::Base.establish_connection(adapter:"sqlite3",database:":memory:"); ActiveRecord::Schema.verbose=false; ActiveRecord::Schema.define{create_table(:posts){|t| t.string :t}}; class Post<ActiveRecord::Base;end; Post.create!(t:"x"); puts Post.count, "person".pluralize, ActiveSupport::TimeZone["Paris"].name', "1\npeople\nParis", with: %w[sqlite3], req: %w[logger]
c 'sprockets', '4.4.1', :pure, 'e=Sprockets::Environment.new; puts e["nothing.js"].inspect', 'nil'
c 'propshaft', '1.3.2', :pure, 'puts Propshaft::LoadPath.name', 'Propshaft::LoadPath', with: %w[rails], req: %w[rails propshaft]
c 'importmap-rails', '2.2.3', :pure, 'require "importmap/map"; m=Importmap::Map.new; m.pin("a"); puts m.packages.size', '1', with: %w[rails], req: %w[rails importmap-rails]
c 'solid_queue', '1.4.0', :pure, 'puts SolidQueue::Engine.name', 'SolidQueue::Engine', with: %w[rails], req: %w[rails/all solid_queue]
c 'bootsnap', '1.26.1', :native, 'require "tmpdir"; Dir.mktmpdir{|d| Bootsnap.setup(cache_dir:d, compile_cache_iseq:true, load_path_cache:true, compile_cache_yaml:false, compile_cache_json:false); require "ostruct"; puts Dir["#{d}/**/*"].any?{|f| File.file?(f)}}', 'true'

# --- tools
c 'ffi', '1.17.4', :fat, 'module M; extend FFI::Library; ffi_lib FFI::Library::LIBC; attach_function :abs,[:int],:int; end; puts M.abs(-7); module Z; extend FFI::Library; ffi_lib "m"; attach_function :cos,[:double],:double; end; puts Z.cos(0)', "7\n1.0"
c 'fiddle', '1.1.8', :native, 'puts Fiddle::Function.new(Fiddle.dlopen(nil)["abs"],[Fiddle::TYPE_INT],Fiddle::TYPE_INT).call(-7)', '7', build: %w[libffi-dev], run: %w[libffi8]
c 'byebug', '12.0.0', :dev, 'puts Byebug.started?.inspect', 'false', req: %w[byebug/core]
c 'stackprof', '0.2.28', :dev, 'r=StackProf.run(mode: :wall, interval: 1000){50000.times{"a"*9}}; puts r[:mode]', 'wall'
c 'rbtrace', '0.5.5', :dev, 'require "rbtrace"; puts defined?(RBTracer)', 'constant', skip: 'attaches to another process'
c 'hitimes', '3.2.0', :native, 'puts Hitimes::Interval.measure{ 1 } >= 0', 'true'
c 'tty-table', '0.12.0', :pure, 'require "tty-table"; puts TTY::Table.new(["h"],[["v"]]).render(:basic)', "h\nv"
c 'tty-prompt', '0.23.1', :pure, 'require "tty-prompt"; puts TTY::Prompt.new(output: File.open(File::NULL,"w")).class', 'TTY::Prompt'
c 'foreman', '0.90.0', :exec, 'puts Foreman::VERSION.class', 'String'
c 'dotenv', '3.2.0', :pure, 'puts Dotenv::Parser.call("A=1\n")["A"]', '1'
c 'reline', '0.7.0', :pure, 'puts Reline::Unicode.calculate_width("日本")', '4'
c 'rbs', '3.10.4', :native, 'puts RBS::Parser.parse_type("Array[Integer]")', 'Array[Integer]'
c 'listen', '3.10.1', :native, 'puts Listen::Adapter.select.name', 'Listen::Adapter::Linux', with: %w[rb-inotify]
c 'rb-inotify', '0.11.1', :ffi, 'require "tmpdir"; Dir.mktmpdir{|d| n=INotify::Notifier.new; n.watch(d,:create){|e| puts e.name}; File.write("#{d}/f",""); n.process}', 'f'
c 'rack-test', '2.3.0', :pure, 'require "rack/test"; include Rack::Test::Methods; def app = ->(e){[200,{},["t"]]}; puts get("/").body', 't', with: %w[rack]
c 'erubi', '1.13.1', :native, 'puts eval(Erubi::Engine.new("<%= 1+1 %>").src)', '2'
