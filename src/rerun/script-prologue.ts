/** The functions that every script starts with. Plain POSIX shell, in which nothing of a record is written. */

/** A dollar sign before a brace, which would be a placeholder of the text below. */
const D = '$';

/**
 * Names go through pipes as lines, a newline in a name as the character 1. `quote` and `sorted` write words as Python's `shlex.quote`
 * does, separated and ended by a blank.
 */
export const PROLOGUE = String.raw`set -eu
unset CDPATH

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}
lines() { # each name on a line of its own
  for path do
    case $path in
      *"$newline"*) printf '%s' "$path" | tr '\n' '\001'; echo ;;
      *) printf '%s\n' "$path" ;;
    esac
  done
}
words() { # lines -> words for a shell
  LC_ALL=C sed -e "s|^\$|''|;t" -e "\|[^A-Za-z0-9_@%+=:,./-]|{s/'/'\"'\"'/g;s/^/'/;s/\$/'/;}" | tr '\n\001' ' \n'
}
quote() {
  lines "$@" | words
}
sorted() {
  LC_ALL=C sort | words
}
present() { # those of the names that exist
  for path do
    if [ -e "$path" ] || [ -L "$path" ]; then lines "$path"; fi
  done
}
hidden() { # as present, without what a pattern that starts with a dot makes of . and .. below a folder (1)
  head=$1
  shift
  for name do
    case /${D}{name#"$head"}/ in */./* | */../*) ;; *) present "$name" ;; esac
  done
}
folders() { # whether the first name is that of a folder
  [ -d "$1" ]
}
word() { # word N of a list of words, counted from 0
  number=$1
  eval "set -- $2"
  [ "$#" -gt "$number" ] || fail "there is no path number $number among: $*"
  shift "$number"
  one=$(quote "$1")
  printf '%s' "${D}{one% }"
}
annexed() { # whether the repository here has an annex
  [ -n "$(git for-each-ref --count=1 refs/heads/git-annex 'refs/remotes/*/git-annex')" ]
}
absent() { # whether this is an annexed file without content
  if [ -L "$1" ]; then
    [ ! -e "$1" ] || return 1
    target=$(readlink "$1")
    case /$target in */annex/objects/*) return 0 ;; esac
  elif [ -f "$1" ]; then
    first=
    IFS= read -r first <"$1" || :
    case $first in /annex/objects/*) return 0 ;; esac
  fi
  return 1
}
within() { # git-annex (verb 1, option 2) for a path (3), in the repository that the path belongs to
  if [ -d "$3" ] && [ ! -L "$3" ]; then folder=$3 name=.
  else
    case $3 in
      */*) folder=${D}{3%/*} name=${D}{3##*/} ;;
      *) folder=. name=$3 ;;
    esac
  fi
  (
    cd -- "$folder"
    if annexed && [ -n "$(git ls-files -- "./$name" | head -n 1)" ]; then
      git annex "$1" $2 -- "./$name" >&2
    fi
  )
}
fetch() { # gets the content of annexed files
  for path do
    if [ -d "$path" ] || absent "$path"; then within get '' "$path"; fi
  done
}
free() { # makes files writable: annexed ones are unlocked, those without content give way
  for path do
    if [ -d "$path" ] && [ ! -L "$path" ]; then within unlock --in=here "$path"
    elif [ -L "$path" ]; then
      if absent "$path"; then rm -f -- "$path"
      else within unlock '' "$path"
      fi
    fi
  done
}
install() { # a subdataset (2) of a dataset (1) that is not there yet
  [ -e "$1/$2/.git" ] || git -C "$1" submodule --quiet update --init -- "$2"
}
reach() { # installs those of the names that are subdatasets which are not there yet
  for path do
    if [ -e "$path/.git" ] || [ -n "$(ls -A -- "$path" 2>/dev/null)" ] || [ ! -d "${D}{path%/*}" ]; then continue; fi
    case $(git --literal-pathspecs -C "${D}{path%/*}" ls-files --stage -- "./${D}{path##*/}") in
      160000*) install "${D}{path%/*}" "${D}{path##*/}" ;;
    esac
  done
}
reachall() { # installs all that lie in the names of folders
  for path do
    if [ -d "$path" ] && git -C "$path" ls-files --stage | grep -q ^160000; then
      git -C "$path" submodule --quiet update --init --recursive -- .
    fi
  done
}
scratch() { # a temporary folder that is gone in the end
  tmpdir=$(mktemp -d)
  trap 'rm -rf -- "$tmpdir"' EXIT
}
execute() { # a command (2) that may exit with a code (1), as recorded
  code=0
  sh -c "$2" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq "$1" ] || exit "$code"
}
newline='
'
dataset=$(git -C "${D}{REPRISE_DATASET:-.}" rev-parse --show-toplevel)
cd -- "$dataset"`;
