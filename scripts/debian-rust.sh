# shellcheck shell=sh
# Takes a compiler from Debian without installing it: its packages are unpacked under target/. They are
# those of the compiler that Debian builds its browsers with. Sourced by scripts/msrv and
# scripts/platforms.

# debian_rust ROOT VERSION [PACKAGE...]: unpacks the compiler of that version (as 1.85; "": the newest),
# and the packages named, which are of the same version if their names hold "rust", below
# ROOT/VERSION-OF-THE-PACKAGE. Sets rustc, and LD_LIBRARY_PATH for it; answers 1 where there is none.
debian_rust() {
    root=$1 wanted=$2
    shift 2
    command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 1
    version=$(debian_rust_version "$wanted")
    if [ -z "$version" ] && apt-get -qq update >/dev/null 2>&1; then
        version=$(debian_rust_version "$wanted")
    fi
    [ -n "$version" ] || return 1
    unpacked=$root/$version
    if [ ! -x "$unpacked/usr/bin/rustc" ]; then
        release=$(echo "$version" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
        # What the compiler links is named by its own packages.
        library=$(apt-cache depends --no-recommends --no-suggests "libstd-rust-web-$release=$version" 2>/dev/null |
            sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p' | head -n 1)
        packages="rustc-web=$version libstd-rust-web-dev=$version libstd-rust-web-$release=$version $library"
        for package in "$@"; do
            case $package in
            *rust*) packages="$packages $package=$version" ;;
            *) packages="$packages $package" ;;
            esac
        done
        # Not those of another version, nor what is left of an attempt that was ended.
        rm -rf "$root"
        mkdir -p "$root/packages"
        # shellcheck disable=SC2086
        (cd "$root/packages" && apt-get -qq download $packages) >"$root/log" 2>&1 || return 1
        for package in "$root/packages"/*.deb; do
            dpkg-deb -x "$package" "$root/new" || return 1
        done
        rm -rf "$root/packages"
        mv "$root/new" "$unpacked"
    fi
    LD_LIBRARY_PATH=$(echo "$unpacked"/usr/lib/*-linux-gnu*):$unpacked/usr/lib
    export LD_LIBRARY_PATH
    # shellcheck disable=SC2034 # for those who source this
    rustc=$unpacked/usr/bin/rustc
}

# The newest version of the compiler's package that begins so.
debian_rust_version() {
    apt-cache madison rustc-web 2>/dev/null | sed 's/^[^|]*| *\([^ |]*\) .*/\1/' |
        case $1 in
        "") cat ;;
        *) grep "^$1\." ;;
        esac | sort -V | tail -n 1
}
