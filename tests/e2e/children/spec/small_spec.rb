# SPDX-License-Identifier: MIT

RSpec.describe Array do
  it("is equal") { expect([1, 2].map { |n| n * 2 }).to eq([2, 4]) }
  it("is not") { expect([1]).to include(2) } if ENV["FAIL"]
end
