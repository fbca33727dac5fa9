#!/bin/sh
# Installs securefl from this folder, without any network: every file is checked before it is used.
#   ./install.sh FOLDER             makes the installation in FOLDER, for example /opt/securefl
#   ./install.sh --check            only checks the files
# PYTHON names another Python 3.11. SIGNERS names a file of allowed signers (ssh-keygen(1)): the
# list of hashes must then be signed by one of them, under the name in SIGNER (default: securefl).
set -eu
umask 022
cd "$(dirname "$0")"
fail() { echo "$1" >&2; exit 1; }
[ $# -eq 1 ] || fail "How: ./install.sh FOLDER, or ./install.sh --check"
if [ -n "${SIGNERS:-}" ]; then
  [ -f SHA256SUMS.sig ] || fail "SHA256SUMS.sig is missing: nobody signed this bundle."
  ssh-keygen -Y verify -f "$SIGNERS" -I "${SIGNER:-securefl}" -n securefl-release -s SHA256SUMS.sig <SHA256SUMS ||
    fail "The list of hashes is not signed by ${SIGNER:-securefl}. Ask whoever gave you the bundle."
fi
sha256sum --check --quiet --strict SHA256SUMS || fail "A file is damaged or was changed. Take the bundle again."
# a file that no line of the list names would be looked at by pip
listed=$(sed 's/^[0-9a-f]* [ *]//' SHA256SUMS | LC_ALL=C sort)
there=$(find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.sig | sed 's|^\./||' | LC_ALL=C sort)
[ "$listed" = "$there" ] || fail "There are files that the list of hashes does not name. Take the bundle again."
echo "All files are as they were packed."
[ "$1" = --check ] && exit 0
PYTHON=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$PYTHON" ] || fail "Python 3.11 is needed: apt install python3 python3-venv"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  fail "$PYTHON is not Python 3.11, for which these wheels were built. Name another: PYTHON=/path/to/python3.11"
[ "$("$PYTHON" -c 'import platform; print(platform.system(), platform.machine())')" = "Linux x86_64" ] ||
  fail "These wheels are for Linux on x86_64."
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || fail "This Python cannot make a virtual environment: apt install python3-venv"
[ ! -e "$1" ] || fail "$1 exists already. Name a new folder: an installation is never written over another one."
# a failed installation leaves nothing that looks like one
trap 'rm -rf "$1"' EXIT INT TERM
"$PYTHON" -m venv "$1"
"$1/bin/python" -m pip --isolated --disable-pip-version-check install --quiet --no-input \
  --no-index --find-links wheels --only-binary :all: --no-deps --require-hashes --no-compile --requirement requirements.txt
"$1/bin/python" -m pip --isolated --disable-pip-version-check check >/dev/null || fail "The installation is not whole."
# nothing here reads these: PyTorch's own C++ tests, and descriptions of Google's services, whose client PySyft imports
site=$("$1/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf "$site/torch/test" "$site/googleapiclient/discovery_cache/documents"
# what securefl imports is compiled now, because those who run it may not write here
"$1/bin/securefl" doctor >/dev/null || "$1/bin/securefl" doctor || echo "It is installed; this machine still lacks what is named above."
modules='scipy.stats, securefl.console.server, securefl.node.owner.agent, securefl.learning.training'
# securefl-light has neither PyTorch nor PySyft
[ ! -d "$site/torch" ] || modules="$modules, opacus, torch, securefl.learning.dpsgd, securefl.api"
"$1/bin/python" -I -c "import $modules" >/dev/null
trap - EXIT INT TERM
echo "securefl is in $1. Next: $1/bin/securefl doctor"
