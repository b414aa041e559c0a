# Sourced: what the tests of the page in a browser need. web_here is this folder; web_missing becomes
# the names of what is not there, web_chromium the browser.
web_missing=
web_chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
[ -n "$web_chromium" ] || web_missing="Chromium"
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18' 2>/dev/null)" = true ] ||
    web_missing="${web_missing:+$web_missing, }node 18 or later"
for package in playwright-core axe-core; do
    want=$(sed -n "s/.*\"$package\": \"\([0-9.]*\)\".*/\1/p" "$web_here/package.json")
    grep -q "\"version\": \"$want\"" "$web_here/node_modules/$package/package.json" 2>/dev/null ||
        web_missing="${web_missing:+$web_missing, }$package $want"
done
