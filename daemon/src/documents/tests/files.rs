//! Files in and out.

use super::*;
use crate::documents::transfer::{Exported, ImportError, Imported, Wrong, export, import};

contract!(a_file_goes_in_and_comes_out_equal, wrong_lines_are_named_and_the_others_imported);

async fn put(documents: &Documents, collection: Collection, text: &str) -> (Imported, Vec<Wrong>) {
    let (mut wrong, mut told) = (Vec::new(), Imported::default());
    let done = import(
        documents,
        collection,
        text.as_bytes(),
        |line| wrong.push(line.clone()),
        |so_far| told = so_far.clone(),
    );
    let done = done.await.unwrap();
    assert_eq!(done, told, "the last progress is the result");
    (done, wrong)
}

async fn take(documents: &Documents, collection: Collection, form: Form) -> (String, Exported) {
    let mut text = String::new();
    let write = |line: &str| {
        text.push_str(line);
        text.push('\n');
        Ok::<_, DocumentsError>(())
    };
    let done = export(documents, collection, form, write, |malformed| panic!("{malformed}")).await.unwrap();
    (text, done)
}

async fn a_file_goes_in_and_comes_out_equal(documents: Documents) {
    let all: Vec<Document> = (0..1_234).map(event).collect();
    let lines: String = all.iter().map(|event| to_json(event, Form::Canonical) + "\r\n").collect();
    let everything = Imported { inserted: 1_234, ..Imported::default() };
    assert_eq!(put(&documents, Collection::Events, &lines).await, (everything, vec![]));
    let again = Imported { unchanged: 1_234, ..Imported::default() };
    assert_eq!(
        put(&documents, Collection::Events, &lines).await,
        (again, vec![]),
        "a second time does no harm"
    );
    for form in [Form::Relaxed, Form::Canonical] {
        let (text, done) = take(&documents, Collection::Events, form).await;
        assert_eq!(done, Exported { documents: 1_234, malformed: 0 });
        let read: Vec<Document> = text.lines().map(|line| from_json(line.as_bytes()).unwrap()).collect();
        assert_eq!(read, all);
    }
}

async fn wrong_lines_are_named_and_the_others_imported(documents: Documents) {
    let (one, two) = (to_json(&event(1), Form::Relaxed), to_json(&event(2), Form::Relaxed));
    let mut other = event(1);
    other.insert("capacity", 5);
    let other = to_json(&other, Form::Relaxed);
    let text = format!("\u{feff}{one}\n\n{{bad\n{{\"name\": \"x\"}}\n{{\"_id\": 7}}\n{other}\n  {two}");
    let (done, wrong) = put(&documents, Collection::Events, &text).await;
    assert_eq!(done, Imported { inserted: 2, unchanged: 0, refused: 4 });
    let told: Vec<(u64, &str)> = wrong.iter().map(|wrong| (wrong.line, wrong.why.as_str())).collect();
    assert_eq!(told[1], (4, "it has no _id"));
    assert!(told[0].0 == 3 && told[0].1.contains("character 2"), "{told:?}");
    assert!(told[2].0 == 5 && told[2].1.contains("its _id is 7"), "{told:?}");
    assert!(told[3].0 == 6 && told[3].1.contains("another document"), "{told:?}");

    let (ana, twin) = (
        to_json(&user(1, "a@example.com"), Form::Relaxed),
        to_json(&user(2, "a@example.com"), Form::Relaxed),
    );
    let (done, wrong) = put(&documents, Collection::Users, &format!(" [{ana},\n{twin}]\n ")).await;
    assert_eq!((done.inserted, done.refused), (1, 1));
    assert!(wrong[0].line == 2 && wrong[0].why.contains("email_1"), "{wrong:?}");
}

#[tokio::test]
async fn arrays_are_read_as_they_come_however_they_end() {
    let (documents, _dir) = sqlite().await;
    let one = |n: u32| to_json(&user(n, &format!("{n} ] }} \\\" {{@example.com")), Form::Relaxed);
    for (text, lines, inserted) in [
        (String::new(), vec![], 0),
        ("[]".to_owned(), vec![], 0),
        ("\n[\n]\n".to_owned(), vec![], 0),
        (format!("[\n{},\n\n{}\n]", one(1), one(2).replace(',', ",\n")), vec![], 2),
        (format!("[{},\n{}", one(3), one(4)), vec![2], 2),
        (format!("[{},\n{{\"_id\"", one(5)), vec![2], 1),
        (format!("[{},\n7, {}]", one(6), one(7)), vec![2], 1),
        (format!("[{}]\n{}", one(8), one(9)), vec![2], 1),
        (format!("[{},\n{{\"a\": bad}},{}]", one(10), one(11)), vec![2], 2),
    ] {
        let (done, wrong) = put(&documents, Collection::Users, &text).await;
        let told: Vec<u64> = wrong.iter().map(|wrong| wrong.line).collect();
        assert_eq!((told, done.inserted), (lines, inserted), "{text}: {wrong:?}");
    }
    let long = format!("{{\"_id\": \"{}\"}}\n{}", "x".repeat(17 * 1024 * 1024), one(12));
    let (done, wrong) = put(&documents, Collection::Users, &long).await;
    assert_eq!((done.inserted, wrong[0].line), (1, 1));
    assert!(wrong[0].why.contains("16 MiB"), "{}", wrong[0].why);
}

#[tokio::test]
async fn a_file_that_breaks_says_where() {
    struct Broken(bool);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::Error::other("the disk is gone"));
            }
            buffer[..2].copy_from_slice(b"\n\n");
            Ok(2)
        }
    }
    let (documents, _dir) = sqlite().await;
    let file = std::io::BufReader::new(Broken(false));
    let broken = import(&documents, Collection::Users, file, |_| {}, |_| {}).await.unwrap_err();
    assert!(
        matches!(broken, ImportError::File { line: 3, .. })
            && broken.to_string().contains("the disk is gone")
    );
}
