# frozen_string_literal: true

require "sqlite3"

# The visitors' entries, in one SQLite file. Puma's threads share the connection.
class Entries
  def initialize(path)
    @lock = Mutex.new
    @database = SQLite3::Database.new(path)
    @database.busy_timeout = 5000
    @database.execute("PRAGMA journal_mode = WAL")
    @database.execute(<<~SQL)
      CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
      )
    SQL
  end

  def add(name, text)
    @lock.synchronize { @database.execute("INSERT INTO entries (name, text) VALUES (?, ?)", [name, text]) }
  end

  def latest(limit)
    rows = @lock.synchronize do
      @database.execute("SELECT id, name, text, created_at FROM entries ORDER BY id DESC LIMIT ?", [limit])
    end
    rows.map { |id, name, text, at| { "id" => id, "name" => name, "text" => text, "created_at" => at } }
  end

  def count
    @lock.synchronize { @database.get_first_value("SELECT count(*) FROM entries") }
  end
end
