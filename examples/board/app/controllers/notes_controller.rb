# frozen_string_literal: true

class NotesController < ApplicationController
  def index
    @notes = Note.with_attached_picture.order(:id)
  end

  def show
    note = Note.find(params[:id])
    render json: { text: note.text, words: note.words, picture: note.picture.attached? && url_for(note.picture) }
  end

  def create
    note = Note.new(params.require(:note).permit(:text, :picture))
    return redirect_to(root_path, status: :see_other) if note.save

    render plain: note.errors.full_messages.to_sentence, status: :unprocessable_entity
  end

  def destroy
    Note.find(params[:id]).destroy!
    redirect_to root_path, status: :see_other
  end
end
