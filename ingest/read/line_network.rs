//! A line model's network, through ONNX Runtime: it takes a third less time than rten, and half of it where the
//! model multiplies integers.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;

use super::ReadError;

pub(super) struct LineNetwork {
    /// A run takes it as its own.
    session: Mutex<Session>,
    path: PathBuf,
}

/// What a network says of pictures: [pictures, steps, classes], one after another.
pub(super) struct Output<'a> {
    pub posteriors: &'a [f32],
    steps: usize,
    pub classes: usize,
}

impl<'a> Output<'a> {
    /// The steps of one picture, `classes` numbers each.
    pub fn of(&self, picture: usize) -> &'a [f32] {
        let size = self.steps * self.classes;
        &self.posteriors[picture * size..(picture + 1) * size]
    }
}

impl LineNetwork {
    /// Loads a model; `library` is ONNX Runtime's, loaded at the first model of the process.
    pub fn load(path: &Path, library: &Path) -> Result<Self, ReadError> {
        let bytes = super::model_bytes(path)?;
        let unusable = |message: String| ReadError::Unusable { path: path.to_owned(), message };
        let session = environment(library)
            .and_then(|environment| session(environment, &bytes).map_err(|error| error.to_string()))
            .map_err(unusable)?;
        Ok(Self { session: Mutex::new(session), path: path.to_owned() })
    }

    /// What the model's file says of itself under a key.
    pub fn metadata(&self, key: &str) -> Option<String> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.metadata().ok()?.custom(key)
    }

    /// Runs over pictures, NCHW [pictures, 3, height, width], values -1 (black) to 1 (white), and gives what `take`
    /// makes of the output, or its complaint.
    pub fn run<T>(
        &self,
        pictures: Vec<f32>,
        shape: [usize; 4],
        take: impl FnOnce(Output<'_>) -> Result<T, String>,
    ) -> Result<T, ReadError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = run(&mut session, pictures, shape, take);
        taken.map_err(|message| ReadError::Unusable { path: self.path.clone(), message })
    }
}

fn run<T>(
    session: &mut Session,
    pictures: Vec<f32>,
    shape: [usize; 4],
    take: impl FnOnce(Output<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let text = |error: ort::Error| error.to_string();
    let input = Tensor::from_array((shape, pictures)).map_err(text)?;
    let outputs = session.run(ort::inputs![input]).map_err(text)?;
    let (shape, posteriors) = outputs[0].try_extract_tensor::<f32>().map_err(text)?;
    let &[_, steps, classes] = &**shape else { return Err("its output is not three-dimensional".into()) };
    let size = |size: i64| usize::try_from(size).map_err(|_| format!("its output has a side of {size}"));
    take(Output { steps: size(steps)?, classes: size(classes)?, posteriors })
}

/// On the caller's thread; pictures differ in width, so that a plan of memory by shape would only grow.
fn session(environment: &Environment, model: &[u8]) -> Result<Session, ort::Error> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_memory_pattern(false)?
        .commit_from_memory(model)
}

/// ONNX Runtime, once in a process.
fn environment(library: &Path) -> Result<&'static Environment, String> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let start = || {
        let failed = |message: String| format!("ONNX Runtime does not start: {message}");
        // A relative path would be looked for beside the program.
        let library = std::path::absolute(library).map_err(|error| failed(error.to_string()))?;
        let builder = ort::init_from(library).map_err(|error| failed(error.to_string()))?;
        builder.with_name("uketsuke").build().map_err(|error| failed(error.to_string()))
    };
    ENVIRONMENT.get_or_init(start).as_ref().map_err(Clone::clone)
}
