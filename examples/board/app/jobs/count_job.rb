# frozen_string_literal: true

class CountJob < ActiveJob::Base
  def perform(note)
    note.update!(words: note.text.split.size)
  end
end
