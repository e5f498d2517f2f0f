//! RabbitMQ's own PerfTest, from Maven, to run beside the adapter.

use std::fs;

use crate::debian;
use crate::engines::{self, MVN, Package, maven};

const VERSION: &str = "2.22.1";

/// Installs it unless it is there, and gives the class path that starts it.
pub(super) fn class_path() -> anyhow::Result<String> {
    let package = Package::named("perftest", VERSION)?;
    if !package.is_whole() {
        debian::ensure(&[MVN])?;
    }
    package.install(|folder| {
        fs::write(folder.join("pom.xml"), pom())?;
        let output = format!("-DoutputDirectory={}", folder.join("libs").display());
        maven(folder, &["copy-dependencies", "-DincludeScope=runtime", &output])
    })?;
    engines::class_path(package.folder())
}

fn pom() -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>switchboard</groupId><artifactId>bench-perftest</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies><dependency><groupId>com.rabbitmq</groupId>\
         <artifactId>perf-test</artifactId><version>{VERSION}</version></dependency>\
         </dependencies></project>\n"
    )
}
