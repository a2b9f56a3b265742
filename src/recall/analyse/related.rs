//! Words that answer a more general one: a question about "pets" is answered by a dog.
//!
//! Everyday English only, one direction only: from the general word of a question to what a message
//! may say instead.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The narrower words of a general one, as they are written.
pub(super) fn narrower(word: &str) -> &'static [&'static str] {
    NARROWER.get(word).map_or(&[], Vec::as_slice)
}

static NARROWER: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut out: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
    for (heads, words) in GROUPS {
        for head in heads.split_ascii_whitespace() {
            out.entry(head)
                .or_default()
                .extend(words.split_ascii_whitespace());
        }
    }
    out
});

const GROUPS: &[(&str, &str)] = &[
    (
        "family relatives relative",
        "mother father parents brother sister son daughter husband wife child kids cousin aunt uncle \
         grandmother grandfather niece nephew baby",
    ),
    ("parent parents", "mother father"),
    ("child children kid kids", "son daughter baby toddler"),
    ("sibling siblings", "brother sister twin"),
    (
        "partner spouse married marriage",
        "husband wife girlfriend boyfriend fiance wedding married",
    ),
    (
        "relationship status",
        "single married divorced engaged dating breakup partner husband wife",
    ),
    (
        "pet pets animal animals",
        "dog cat puppy kitten hamster rabbit fish bird parrot turtle snake horse",
    ),
    (
        "sport sports exercise exercises workout workouts fitness",
        "soccer football basketball tennis baseball hockey golf volleyball swimming running yoga gym \
         cycling boxing kickboxing karate taekwondo judo skiing surfing climbing hiking jogging \
         marathon pilates weights",
    ),
    (
        "martial",
        "karate taekwondo judo kickboxing boxing jiujitsu aikido kungfu",
    ),
    (
        "hobby hobbies activity activities pastime outdoor",
        "painting drawing pottery reading gardening photography cooking baking hiking camping fishing \
         swimming running dancing knitting guitar piano chess gaming yoga biking climbing skiing",
    ),
    (
        "food foods meal meals dish dishes cuisine eat ate snack dinner lunch breakfast",
        "pizza pasta sushi salad soup bread rice chicken curry tacos burger sandwich cake cheese \
         steak noodles vegetables fruit",
    ),
    (
        "dessert desserts sweets",
        "cake cookies pie ice cream chocolate brownies",
    ),
    (
        "drink drinks beverage",
        "coffee tea wine beer juice cocktail smoothie water",
    ),
    (
        "music musical instrument instruments band bands artist artists musician",
        "guitar piano violin drums song songs concert singer album band flute clarinet cello",
    ),
    (
        "art arts artwork artistic create",
        "painting drawing sculpture pottery sketch mural canvas",
    ),
    (
        "job jobs career occupation profession work works",
        "job career engineer teacher nurse doctor lawyer manager designer developer accountant \
         banker promotion hired company internship freelance",
    ),
    (
        "education degree study studies studied",
        "school college university class course major degree",
    ),
    (
        "vehicle vehicles transportation",
        "car truck bike motorcycle bus train van scooter prius tesla toyota honda ford",
    ),
    (
        "health medical illness condition conditions",
        "doctor hospital surgery diagnosis allergy asthma diabetes injury pain medication",
    ),
    (
        "injury injured hurt",
        "broke sprained ankle knee wrist back fracture accident",
    ),
    (
        "allergy allergic allergies",
        "allergic allergy gluten peanuts dairy lactose shellfish pollen",
    ),
    (
        "country countries abroad",
        "spain france italy germany england portugal greece japan china india mexico canada brazil \
         sweden norway thailand ireland scotland turkey egypt morocco australia",
    ),
    (
        "european europe",
        "spain france italy germany england portugal greece ireland scotland sweden norway denmark \
         finland austria switzerland netherlands belgium poland paris rome london barcelona berlin",
    ),
    (
        "asian asia",
        "japan china india thailand vietnam korea singapore indonesia malaysia tokyo",
    ),
    (
        "city cities",
        "paris rome london barcelona berlin tokyo york boston chicago seattle miami francisco \
         angeles toronto madrid amsterdam vienna prague",
    ),
    (
        "state states usa america american",
        "california texas florida oregon washington colorado nevada arizona michigan ohio georgia \
         virginia massachusetts minnesota alaska hawaii utah montana",
    ),
    (
        "place places location locations travel traveled vacation vacationed vacations trip",
        "beach mountains lake park city country visited trip vacation flew hotel tour",
    ),
    ("season seasons", "spring summer autumn fall winter"),
    (
        "religious religion spiritual faith",
        "church faith god prayer bible mosque temple",
    ),
    (
        "stress stressed destress relax relaxes unwind",
        "relax relaxing therapy calm stress escape yoga meditation peace",
    ),
    (
        "emotion emotions feel feeling feelings",
        "happy sad excited nervous proud thankful grateful scared anxious",
    ),
    (
        "book books read novel author",
        "book novel author reading series story",
    ),
    (
        "movie movies film films show shows watch",
        "movie film series show netflix cinema documentary",
    ),
    (
        "game games gaming",
        "game chess console nintendo playstation xbox board puzzle",
    ),
    (
        "clothes clothing outfit wear",
        "shirt dress shoes jacket hoodie jeans hat sweater sneakers boots",
    ),
    (
        "flower flowers plant plants",
        "roses sunflowers tulips lilies daisies garden orchid",
    ),
    (
        "color colour",
        "red blue green yellow purple pink orange black white brown gray",
    ),
    (
        "gift gifts present presents",
        "gift necklace ring present bought gave",
    ),
    ("jewelry", "necklace ring bracelet earrings"),
    (
        "nature outdoors",
        "forest mountain lake river ocean trail sunset hike",
    ),
    (
        "charity volunteer volunteering volunteered",
        "charity shelter donate donated fundraiser volunteer homeless",
    ),
    (
        "celebrate celebration holiday holidays party",
        "birthday christmas thanksgiving wedding anniversary halloween easter party",
    ),
    (
        "money financial finances budget cost price",
        "dollars cost price paid salary loan debt savings rent bank",
    ),
    (
        "home house live lives living",
        "apartment house moved rent home flat",
    ),
    ("weather", "rain snow sunny storm wind hot cold"),
    (
        "device devices gadget computer",
        "laptop phone tablet computer iphone macbook ipad camera",
    ),
];
