#!/usr/bin/env bash
# Installs what some tests need beside Python, where that can be done; the tests skip with a reason where not.
# Only root on Debian and its kin; NO_TEST_TOOLS=1 leaves the machine as it is.
set -u
missing=()
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v pdftotext >/dev/null || missing+=(poppler-utils)
command -v psql >/dev/null || missing+=(postgresql)
[ -x /usr/sbin/sshd ] || missing+=(openssh-server)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ -z "${NO_TEST_TOOLS:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing for the tests of pages in a browser, of databases and of stores: ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive timeout 240 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && exit 0
fi
echo "NOT INSTALLED: ${missing[*]}. Tests of pages in a browser, of databases or of stores are skipped. On Debian: apt install ${missing[*]}"
