# SPDX-License-Identifier: MIT
# What a program is told about itself.

p __FILE__ == $0, File.basename($PROGRAM_NAME), File.basename(__dir__) == File.basename(Dir.pwd)
p DATA.read, ARGV.map(&:bytes), ARGV.map(&:encoding)
$stdout.write($stdin.read.upcase)
__END__
behind the end
