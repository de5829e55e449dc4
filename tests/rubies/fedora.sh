#!/bin/sh
# SPDX-License-Identifier: MIT
# Moves the Ruby of a Debian 12 root, in which this runs, to where Fedora's packages have theirs:
# two library trees without versions, RubyGems beside them, default gems without directories, native
# parts of gems in a tree of their own, and at /usr/bin/ruby a script that chooses a Ruby. Paths as
# in Fedora's ruby.spec, and its operating_system.rb in short.
set -eu

share=/usr/share/ruby
lib=/usr/lib64/ruby
gems=/usr/share/gems
arch=x86_64-linux-gnu

# A native gem as a package: sources in one tree, extension in the other, no gem_make.out.
package_gem() {
    gem install --local --no-document --install-dir "$gems" "$1"
    name=$(basename "$1" .gem)
    mkdir -p "/usr/lib64/gems/ruby/$name"
    mv "$gems"/extensions/*/*/"$name"/* "/usr/lib64/gems/ruby/$name/"
    rm -rf "$gems/extensions" "$gems/cache" "$gems/gems/$name/ext"
    find "$gems/gems/$name/lib" -name '*.so' -delete
}

for file in /gems/*.gem; do
    case $file in
    */bcrypt-*) package_gem "$file" ;;
    *) gem install --local --ignore-dependencies --no-document --install-dir "$gems" "$file" ;;
    esac
done

mkdir -p "$share" "$lib" /usr/share/rubygems "$gems/specifications/default"
mv /usr/lib/ruby/3.1.0/* "$share/"
mv "/usr/lib/$arch/ruby/3.1.0"/* "$lib/"
mv /usr/lib/ruby/vendor_ruby/rubygems* /usr/share/rubygems/
mv /usr/lib/ruby/gems/3.1.0/specifications/default/* "$gems/specifications/default/"
for dir in gems specifications; do
    cp -r /usr/share/rubygems-integration/all/$dir/bundler-* "$gems/$dir/"
done
rm -rf /usr/lib/ruby "/usr/lib/$arch/ruby" /usr/share/rubygems-integration /var/lib/gems

# The compiled-in load path: fewer directories, zeros behind them.
perl -0777 -pi -e '
    my $new = join("\0", "/usr/local/share/ruby/site_ruby", "/usr/local/lib64/ruby/site_ruby",
        "/usr/share/ruby/vendor_ruby", "/usr/lib64/ruby/vendor_ruby", "/usr/share/rubygems",
        "/usr/share/ruby", "/usr/lib64/ruby") . "\0\0";
    s{(?<=\0)/usr/local/lib/site_ruby/3\.1\.0\0.*?\0\0}{$new . "\0" x (length($&) - length($new))}se
        or die "no load path";
' /usr/lib/$arch/libruby-3.1.so.3.1.*
mv /usr/lib/$arch/libruby-3.1.so* /usr/lib64/
echo /usr/lib64 >/etc/ld.so.conf.d/lib64.conf
ldconfig

perl -pi -e '
    s{chomp!\("[^"]*"\)}{chomp!("/lib64/ruby")};
    print qq(  CONFIG["$_->[0]"] = "$_->[1]"\n) for /^  MAKEFILE_CONFIG = / ? (
        ["ruby_version", ""], ["RUBY_INSTALL_NAME", "ruby"], ["ruby_install_name", "ruby"],
        ["libdir", "/usr/lib64"], ["rubylibdir", "/usr/share/ruby"],
        ["rubyarchdir", "/usr/lib64/ruby"], ["sitedir", "/usr/local/share/ruby/site_ruby"],
        ["sitelibdir", "/usr/local/share/ruby/site_ruby"],
        ["sitearchdir", "/usr/local/lib64/ruby/site_ruby"],
        ["vendordir", "/usr/share/ruby/vendor_ruby"],
        ["vendorlibdir", "/usr/share/ruby/vendor_ruby"],
        ["vendorarchdir", "/usr/lib64/ruby/vendor_ruby"],
        ["rubygemsdir", "/usr/share/rubygems"]) : ();
' "$lib/rbconfig.rb"

cat >/usr/share/rubygems/rubygems/defaults/operating_system.rb <<'RUBY'
module Gem
  class << self
    def default_dir
      "/usr/local/share/gems"
    end

    def default_path
      [default_dir, "/usr/share/gems"]
    end

    def default_specifications_dir
      "/usr/share/gems/specifications/default"
    end

    def default_ext_dir_for(base_dir)
      { "/usr/share/gems" => "/usr/lib64/gems/ruby", default_dir => "/usr/local/lib64/gems/ruby" }[base_dir]
    end
  end
end
RUBY

mv /usr/bin/ruby3.1 /usr/bin/ruby-mri
rm -f /usr/bin/ruby
cat >/usr/bin/ruby <<'SH'
#!/bin/bash
exec /usr/bin/ruby-mri "$@"
SH
chmod 755 /usr/bin/ruby
printf '#!/usr/bin/ruby\nrequire "rubygems"\nload Gem.bin_path("bundler", "bundle")\n' >/usr/bin/bundle
