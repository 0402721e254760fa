# shellcheck shell=sh
# The tools that the book needs, each in one version, in the checkout's own .tools. Read by the other
# scripts in this folder, which run at the root of the checkout.

mdbook_version=0.5.4
hyperlink_version=0.3.2

# has_tool NAME VERSION: whether .tools has the tool, in that version.
has_tool() {
    case $(".tools/bin/$1" --version 2>/dev/null) in
    *"$2") true ;;
    *) false ;;
    esac
}

# install_tool NAME VERSION [CARGO'S OPTION]...: installs the tool, which takes a while.
# Without optimisation: ready in half the time, and fast enough for one book.
install_tool() {
    name=$1
    version=$2
    shift 2
    PATH="$PWD/.tools/bin:$PATH" CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install --locked --force --debug --root .tools --version "$version" "$@" "$name"
}

# Chapter 7 serves the book, so mdBook's own server is left out.
need_mdbook() {
    has_tool mdbook "$mdbook_version" ||
        install_tool mdbook "$mdbook_version" --no-default-features --features search
}

need_hyperlink() {
    has_tool hyperlink "$hyperlink_version" || install_tool hyperlink "$hyperlink_version"
}

# Builds the book into book/book. Only warnings are printed.
build_book() {
    MDBOOK_LOG=warn .tools/bin/mdbook build book
}

# Checks that each link in the built book leads somewhere within it, down to the heading.
check_links() {
    .tools/bin/hyperlink --check-anchors --sources book/src book/book
}

# The browser that looks at the book. A browser is big: one that is missing is named, and not installed.
need_browser() {
    command -v chromium >/dev/null && command -v chromedriver >/dev/null
}
