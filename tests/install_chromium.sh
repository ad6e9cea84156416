#!/bin/sh
# The browser tests need a system Chromium, best the one without windows: the same engine for less. As root on Debian it is
# installed; elsewhere those tests are skipped, loudly.
for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests"
  apt-get update -qq >/dev/null 2>&1
  for name in chromium-headless-shell chromium; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$name" >/dev/null 2>&1 && exit 0
  done
fi
echo "WARNING: no Chromium here and none could be installed: the browser tests will be SKIPPED." >&2
