# SPDX-License-Identifier: MIT
# tests/cli/completion.zsh SCRIPT LINE...: what an interactive zsh lists (Ctrl-D) for each line.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='rea''dy>'; LISTMAX=10000; bindkey -e; stty -echo columns 300 rows 200
autoload -Uz compinit; compinit -u -D; source ${(q)1}"
# The editor reads keys, and no longer lines, when it has shown its prompt.
zpty -r shell answer '*ready>*ready>*'
for line in "${@[2,-1]}"; do
    zpty -w -n shell "$line"$'\C-d\C-u'"print DON''E"$'\n'
    zpty -r shell answer '*DONE*ready>*'
    print -r -- "== $line"
    print -r -- "$answer"
done
zpty -d shell
