# frozen_string_literal: true

class CreateNotes < ActiveRecord::Migration[7.2]
  def change
    create_table :notes do |t|
      t.text :text, null: false
      t.integer :words
      t.timestamps
    end
  end
end
