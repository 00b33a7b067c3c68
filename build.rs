//! Names the shared library as the linker of a C program will look for it.

/// Changes when a compiled program or application has to be compiled again. `AWSGI_ABI_VERSION` in
/// the header is the same number; `tests/symbols.rs` compares them.
const ABI: u32 = 0;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let argument = match os.as_str() {
        "macos" | "ios" => format!("-Wl,-install_name,@rpath/libawsgi.{ABI}.dylib"),
        "windows" => return,
        // Everything else that makes shared libraries makes ELF ones.
        _ => format!("-Wl,-soname,libawsgi.so.{ABI}"),
    };
    println!("cargo:rustc-cdylib-link-arg={argument}");
}
