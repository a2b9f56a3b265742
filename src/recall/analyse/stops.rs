//! Word lists: stop words, words that hint at something, and irregular English forms.
//!
//! Stop words include question words, auxiliaries and pronouns: in a question they say what kind of
//! answer is wanted, not what it is about. The lists of other languages also serve to tell them apart.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::language::Language;

/// The speaker talks of itself.
pub const FIRST_PERSON: u8 = 1;
/// A point or a stretch of time.
pub const TIME: u8 = 2;
/// A number.
pub const NUMBER: u8 = 4;
/// In a question: asks for a time.
pub const ASKS_TIME: u8 = 8;
/// In a question: addresses the one who answers.
pub const SECOND_PERSON: u8 = 16;
/// In a question: what an assistant does with words.
pub const ADVISES: u8 = 32;

pub(super) const STOP_WORDS: &[(Language, &str)] = &[
    (
        Language::English,
        "a about above after again against all also am an and any are aren't as at be because been \
         before being below between both but by can can't cannot could couldn't did didn't do does \
         doesn't doing don't down during each few for from further had hadn't has hasn't have \
         haven't having he her here hers herself him himself his how i if in into is isn't it its \
         itself just let me might more most much must mustn't my myself no nor not now of off on \
         once only or other ought our ours ourselves out over own same shall shan't she should \
         shouldn't so some such than that the their theirs them themselves then there these they \
         this those through to too under until up upon us very was wasn't we were weren't what \
         when where which while who whom whose why will with won't would wouldn't yet you your \
         yours yourself yourselves many ever else may im ive dont didnt yeah yes oh hey hi ok okay \
         wow um uh gonna wanna gotta ain't",
    ),
    (
        Language::German,
        "aber als am an auch auf aus bei beim bin bis bist da damit dann das dass daß dein deine \
         dem den denn der des dich die dir doch du durch ein eine einem einen einer eines er es \
         etwas euch euer für gegen hab habe haben hat hatte hatten hier ich ihm ihn ihnen ihr ihre \
         im in ins ist ja jetzt kann kein keine man mein meine meinem meinen meiner mich mir mit \
         nach nicht noch nun nur ob oder ohne schon sehr sein seine seit sich sie sind so über um \
         und uns unser unsere unter vom von vor wann war waren warum was weil welche welcher \
         welches wem wen wenn wer werde werden wie wieder wieviel will wir wird wo wohin woher \
         würde zu zum zur zwischen danke bitte",
    ),
    (
        Language::French,
        "à ai as au aussi autre aux avais avait avec avez avoir avons bien c ce ceci cela ces cet \
         cette chez ci comme comment d dans de des donc dont du elle elles en es est et étais était \
         étaient été être eu eux fait il ils j je l la là le les leur leurs lui m ma mais me mes moi \
         mon n ne nos notre nous on ont ou où par pas plus pour pourquoi qu quand que quel quelle \
         quelles quels qui quoi s sa sans se ses si son sont suis sur t ta te tes toi ton tu un une \
         vos votre vous y combien merci",
    ),
    (
        Language::Spanish,
        "a al algo algunas algunos ante antes como cómo con contra cual cuál cuales cuando cuándo \
         cuánto cuántos cuánta cuántas de del desde donde dónde dos el él ella ellas ellos en entre \
         era eran eres es esa esas ese eso esos esta está estaba están estas este esto estos estoy \
         fue fueron ha había han has hasta hay he la las le les lo los más me mi mis mí mucho muy \
         nada ni no nos nosotros nuestra nuestro o os otra otro para pero poco por porque qué que \
         quien quién se sea ser si sí sido sin sobre soy su sus también te tengo ti tiene todo todos \
         tu tú tus un una uno y ya yo gracias",
    ),
    (
        Language::Italian,
        "a ad agli ai al alla alle allo anche avete aveva c che chi ci come con contro cosa cui da \
         dagli dai dal dalla dalle de degli dei del dell della delle dello di dove e è ed era erano \
         essere fa fra gli ha hai hanno ho i il in io l la le lei li lo loro lui ma me mi mia mie \
         miei mio ne nel nella nelle nei negli noi non nostra nostro o per perché più quale quali \
         quando quanti quanto quella quelle quelli quello questa queste questi questo sei si sia \
         siamo sono sta su sua sue sui sul sulla suo tra tu tua tuo un una uno vi voi grazie",
    ),
    (
        Language::Portuguese,
        "a à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos e \
         é ela elas ele eles em entre era eram essa esse esta está estão estava este eu foi foram \
         há isso isto já lhe mais mas me mesmo meu meus minha minhas muito na nas não nem no nos nós \
         nossa nosso num numa o onde os ou para pela pelas pelo pelos por porque quais qual quando \
         quanto quantos que quem são se sem ser seu seus só sua suas também te tem tenho teu tua tu \
         um uma você vocês obrigado obrigada",
    ),
    (
        Language::Dutch,
        "aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus \
         een eens en er ge geen geweest haar had heb hebben heeft hem het hier hij hoe hoeveel hun \
         iemand iets ik in is ja je jij jullie kan kon kunnen maar me meer men met mij mijn moet na \
         naar niet niets nog nu of om omdat onder ons ook op over reeds te tegen toch toen tot u uit \
         uw van veel voor waar waarom wanneer want waren was wat we wel werd wezen wie wij wil \
         worden zal ze zei zelf zich zij zijn zo zonder zou bedankt",
    ),
    (
        Language::Swedish,
        "alla allt att av blev bli blir de dem den denna deras dess det detta dig din dina ditt du då \
         där efter ej eller en er era ert ett från för ha hade han hans har hon hur hur här i icke \
         ingen inom inte jag ju kan kunde man med mellan men mig min mina mitt mot mycket ni nu när \
         någon något några och om oss på sedan sig sin sina själv skulle som så till under upp ut \
         utan vad var vara varför vart vem vi vid vilka vilken är tack",
    ),
    (
        Language::Danish,
        "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din dine \
         disse du efter eller en end er et for fra ham han hans har havde have hende hendes her hos \
         hun hvad hvem hvis hvor hvorfor hvornår i ikke ind jeg jer jo kunne man mange med meget men \
         mig min mine mit mod ned noget nogle nu når og også om op os over på selv sig sin sine sit \
         skal skulle som sådan til ud under var vi vil ville være været tak",
    ),
    (
        Language::Norwegian,
        "alle at av bare ble bli blir da de deg dem den denne der deres det dette din disse du eller \
         en enn er et ett etter for fordi fra før ha hadde han hans har hennes her hun hva hvem hver \
         hvilken hvis hvor hvorfor hvordan i ikke ingen inn jeg kan kom kun kunne man mange med meg \
         men mer min mitt mot mye noe noen nå når og også om opp oss over på seg selv si sin sine \
         sitt skal skulle slik som så til ut uten var vi vil ville være vært takk",
    ),
    (
        Language::Finnish,
        "ei eivät en ehkä emme et että ette he hän häneen hänellä hänen hänet ja jo joka jos jotka \
         kanssa keitä ken kenen koska kuin kuinka kuka kun me mutta mikä mikään millä minkä minua \
         minulla minulle minun minut minä missä mitä mitkä myös ne niin nyt ole olemme olen olet oli \
         olin olla olisi on ovat se sen siellä siinä sinä sinun sitten sitä tai te tuo tämä tämän \
         tässä tätä vaan vai vain vielä voi kiitos milloin miksi",
    ),
    (
        Language::Hungarian,
        "a az abban ahhoz ami amikor annak arra azt azért be csak de e egy egyik ekkor el ez ezek \
         ezt ha hanem hogy hogyan hol honnan igen ilyen is itt ki le lesz lehet ma majd már még meg \
         mert mi mikor miért mint mit most nagyon nekem nem nincs olyan ott ő ők s sem semmi szerint \
         és tehát te ti vagy vagyok valaki valami van vannak volt voltak köszönöm mennyi",
    ),
    (
        Language::Romanian,
        "a acea aceasta această acest aceste acum ai al ale am ar are as asta au ca când care ce cea \
         cel ci cine cu cum cât câți da dacă dar de decât deci din doar după e ea ei el ele era este \
         eu face fi fie fost în între îi își îmi îți la lor lui mai mea meu mi ne nici nu o ori pe \
         pentru prin sa sau să se și sunt său ta tu un una unde unei unui va vom voi vor vă \
         mulțumesc",
    ),
    (
        Language::Turkish,
        "acaba ama ancak artık bana bazı belki ben beni benim bir biri birkaç biz bize bizi bizim bu \
         bunu bunun çok çünkü da daha de değil diye en gibi hangi hem hep hepsi her hiç için ile ise \
         kaç kim kime kimi mı mi mu mü nasıl ne neden nerede nereye niçin niye o olan olarak oldu \
         on ona onlar onu onun sana sen seni senin siz sizi sizin şey şu tüm var ve veya ya yani yok \
         teşekkürler zaman",
    ),
    (
        Language::Russian,
        "а без более бы был была были было быть в вам вас весь во вот все всё всего всех вы где да \
         даже для до его ее её ей если есть ещё еще же за здесь и из или им их к как какая какие \
         какой когда кого кому кто куда ли мне меня мной может можно мои мой моя моё мы на над надо \
         нас нам наш не него нее неё нет ни них но ну о об один он она они оно от откуда очень по \
         под почему при про раз с сам себе себя сегодня сейчас сколько со так такой там тебе тебя \
         тем то тоже только тот ту ты у уже хотя чего чем что чтобы чьи чья чей эта эти это этот я \
         спасибо",
    ),
    (
        Language::Greek,
        "αλλά αν από αυτά αυτή αυτό αυτός για δεν εγώ εδώ είμαι είναι είχα έχει έχω εμείς ένα ένας \
         εσύ η ήταν θα και κατά κι μας με μετά μη μην μια μου να ο οι όπως ότι όταν πιο που πού πόσα \
         πόσο πότε ποια ποιο ποιος πολύ προς πως πώς σας σε στα στη στην στο στον σου τα τη την της \
         τι τις το τον του τους των ως γιατί ευχαριστώ",
    ),
    (
        Language::Arabic,
        "في من على إلى الى عن مع هذا هذه ذلك تلك التي الذي الذين ما ماذا متى أين كيف كم لماذا هل لا لم \
         لن ليس كان كانت أنا نحن أنت هو هي هم أن إن أو ثم و يا قد كل بعد قبل عند لكن أي بين حتى إذا \
         لي له لها شكرا",
    ),
    (
        Language::Tamil,
        "ஒரு என்று மற்றும் இந்த இது என்ற என்பது பல ஆனால் அவர் நான் நீ நீங்கள் எனக்கு உள்ள அந்த இவர் என \
         என் எப்போது எங்கே என்ன யார் ஏன் எப்படி அது நாம் அவன் அவள்",
    ),
    (
        Language::Plain,
        // Polish, Czech, Indonesian, Vietnamese: told from the others, then left unstemmed.
        "ale bez był była było być co czy dla do gdy gdzie go i ich ile ja jak jako jest jestem jej \
         jego już kiedy kto która które który lub ma mam mi mnie moja mój może na nad nas nie nim o \
         od oraz po pod przed przez przy się są ta tak także tam te tego tej ten to tu ty tylko w we \
         wiem więc z za że żeby dziękuję \
         aby ani až bude by byl byla byli bylo být co což další dnes jak jaké jako je jeho její jen \
         ještě ji již jsem jsi jsme jsou kam kde kdo kdy když které který kolik má mě mezi mi mít můj \
         nebo není než pak po podle pro proč před při s se si tedy tento těch to toho ve však za že \
         ada adalah akan aku anda apa atau bagaimana bahwa berapa bisa dalam dan dapat dari dengan \
         di dia ini itu juga kami kapan karena ke kita mana mereka pada saya sebagai siapa sudah \
         tidak untuk yang \
         anh bạn bao các cái chị cho có của đã đang để được em gì hay khi không là làm mà một này nào \
         những ở tôi thì trong và với",
    ),
];

pub(super) const CUE_WORDS: &[(u8, &str)] = &[
    (
        FIRST_PERSON,
        "i i'm i've i'd i'll me my mine myself we our ours us im ive ich mich mir mein meine meinen \
         meinem meiner wir uns unser unsere je j moi mon ma mes nous notre nos yo mi mis mí nosotros \
         nuestro nuestra io mio mia miei noi nostro nostra eu meu minha meus minhas nós nosso nossa \
         ik mij mijn wij ons onze jag mig min mina mitt vi vår jeg mit mine minä minun me meidän én \
         nekem mi ben benim bana biz bizim я меня мне мой моя моё мои мы нас нам наш εγώ μου μας أنا \
         نحن நான் எனக்கு என் ja mnie mój moja já můj saya aku kami kita tôi",
    ),
    (
        TIME,
        "today yesterday tomorrow tonight ago last next week weeks weekend month months year years day \
         days hour hours minute minutes morning afternoon evening night since recently soon later \
         earlier monday tuesday wednesday thursday friday saturday sunday january february march \
         april june july august september october november december summer winter spring autumn \
         christmas easter birthday o'clock noon midnight decade century \
         heute gestern morgen vorgestern übermorgen woche wochen wochenende monat monate monaten jahr \
         jahre jahren tag tage tagen stunde stunden abend nacht montag dienstag mittwoch donnerstag \
         freitag samstag sonntag januar februar märz mai juni juli oktober dezember sommer herbst \
         frühling demain aujourd semaine semaines mois an ans année années jour jours heure \
         heures matin soir lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars \
         avril juin juillet août septembre octobre novembre décembre hiver hoy ayer mañana semana \
         semanas meses año años día días hora horas tarde noche lunes martes miércoles jueves \
         viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre \
         noviembre diciembre oggi ieri domani settimana mese mesi anno anni giorno giorni ora ore \
         hoje ontem amanhã mês ano anos dia dias vandaag gisteren maand jaar dag dagen uur \
         сегодня вчера завтра неделя неделю недели месяц месяца месяцев год года лет день дня дней \
         час часов утром вечером ночью понедельник вторник среду четверг пятницу субботу воскресенье \
         января февраля марта апреля мая июня июля августа сентября октября ноября декабря летом \
         зимой весной осенью назад",
    ),
    (
        NUMBER,
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
         sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety \
         hundred thousand million billion once twice dozen couple half several first second third \
         ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig hundert tausend deux \
         trois quatre cinq sept huit neuf dix cent mille dos tres cuatro cinco seis siete ocho nueve \
         diez cien mil due tre quattro cinque sei sette otto nove dieci cento três quatro sete oito \
         dez twee drie vijf zes zeven acht negen tien honderd один два две три четыре пять шесть семь \
         восемь девять десять сто тысяча",
    ),
    (
        ASKS_TIME,
        "when wann quand cuándo cuando quando wanneer när hvornår milloin mikor când когда πότε متى \
         kiedy kdy kapan எப்போது",
    ),
    (
        SECOND_PERSON,
        "you your yours du dir dich dein deine tu te toi ton ta vous votre tú ti usted tuo tua você \
         jij je jouw ты вы тебе твой ваш",
    ),
    (
        ADVISES,
        "say said tell told suggest suggested suggestion suggestions recommend recommended \
         recommendation recommendations mention mentioned advise advised advice propose proposed \
         explain explained describe described list listed give gave given provide provided write \
         wrote remind answer answered reply replied name named share shared help helped \
         gesagt sagtest empfohlen vorgeschlagen erwähnt geraten erklärt erzählt dit conseillé suggéré \
         recommandé dijiste recomendaste sugeriste mencionaste detto consigliato disse sugeriu \
         recomendou сказал советовал посоветовал предложил рекомендовал говорил",
    ),
];

/// The everyday form of an irregular English one; Snowball only takes endings off.
pub(super) fn lemma(word: &str) -> Option<&'static str> {
    LEMMAS.get(word).copied()
}

static LEMMAS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut out = HashMap::new();
    for line in IRREGULAR.split(';') {
        let mut words = line.split_ascii_whitespace();
        if let Some(first) = words.next() {
            out.extend(words.map(|word| (word, first)));
        }
    }
    out
});

const IRREGULAR: &str = "
    arise arose arisen; awake awoke awoken; beat beaten; become became; begin began begun; bend bent; \
    bite bit bitten; bleed bled; blow blew blown; break broke broken; breed bred; bring brought; \
    build built; burn burnt; buy bought; catch caught; choose chose chosen; come came; creep crept; \
    deal dealt; dig dug; draw drew drawn; dream dreamt; drink drank drunk; drive drove driven; \
    eat ate eaten; fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled; \
    fly flew flown; forbid forbade forbidden; forget forgot forgotten; forgive forgave forgiven; \
    freeze froze frozen; get got gotten; give gave given; go went gone goes; grow grew grown; \
    hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt; know knew known; \
    lay laid; lead led; lean leant; leap leapt; learn learnt; leave left; lend lent; lose lost; \
    make made; mean meant; meet met; pay paid; prove proven; ride rode ridden; ring rang rung; \
    rise rose risen; run ran; say said; see saw seen; seek sought; sell sold; send sent; \
    sew sewn; shake shook shaken; shine shone; shoot shot; show shown; shrink shrank shrunk; \
    sing sang sung; sink sank sunk; sit sat; sleep slept; slide slid; speak spoke spoken; \
    speed sped; spell spelt; spend spent; spin spun; spill spilt; spring sprang sprung; \
    stand stood; steal stole stolen; stick stuck; sting stung; strike struck; swear swore sworn; \
    sweep swept; swell swollen; swim swam swum; swing swung; take took taken; teach taught; \
    tear tore torn; tell told; think thought; throw threw thrown; understand understood; \
    wake woke woken; wear wore worn; weave wove woven; weep wept; win won; wind wound; \
    write wrote written; overcome overcame; undergo underwent undergone; withdraw withdrew; \
    child children kid kids; person people; man men; woman women; foot feet; tooth teeth; \
    mouse mice; goose geese; wife wives; knife knives; shelf shelves; \
    half halves; wolf wolves; thief thieves; loaf loaves; self selves; \
    mother mom mum mommy mama mums moms; father dad daddy papa dads; \
    photo photograph photos photographs photography pic pics; movie film movies films; \
    bicycle bike bikes; television tv tvs; grandmother grandma granny; grandfather grandpa; \
    mathematics math maths; examination exam exams; laboratory lab labs; gymnasium gym; \
    refrigerator fridge; telephone phone phones; advertisement ad ads; \
    good better best; bad worse worst; favourite favorite favorites; colour color colors; \
    travel trip trips; doctor dr; vet veterinarian; college university uni";
