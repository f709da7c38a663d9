"""The files of a message: of those we send, of those that people send us, and of our answers to them."""

from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.resources import Target
from deploy.emulator.rest.operations import ROOT
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, SOMEBODY
from tests.deploy.emulator.inhabited import PICTURE, Inhabited
from tests.deploy.emulator.virtual import URL, World

SONG = "https://files.example.com/song"
ANSWER = "<Response><Message><Body>Here</Body><Media>pictures/a.gif</Media></Message></Response>"


def files(world: Inhabited, sid: str) -> list[str]:
    reply = world.ask("GET", f"{ROOT}/Accounts/{ACCOUNT}/Messages/{sid}/Media.json")
    assert reply.body is not None
    return [each["content_type"] for each in reply.body["media_list"]]


async def test_what_we_send_has_the_types_that_its_names_say_newest_first() -> None:
    world = Inhabited()
    sent = world.make("Messages", To=SOMEBODY, From=SENDER, MediaUrl=[PICTURE, f"{SONG}.mp3?a=b.txt", SONG])
    assert files(world, str(sent["sid"])) == ["image/jpeg", "audio/mpeg", "image/png"]


async def test_what_people_send_and_what_we_answer_have_their_files() -> None:
    provider = World(answer=lambda request: (200, ANSWER))
    world = Inhabited(provider.exchange)
    text = Text(SOMEBODY, SENDER, "Look", Target(URL), media=["image/webp"])
    received = world.exchange.change(lambda account, now: receive(account, text, now))
    assert files(world, received.sid) == ["image/webp"]
    await world.exchange.move()
    [answer] = [each for each in world.exchange.account.messages.values() if each.direction == "outbound-reply"]
    assert files(world, answer.sid) == ["image/gif"]
    [told] = [each.url for each in world.exchange.account.media.values() if each.message_sid == answer.sid]
    assert told == "https://hooks.switchhook.net/pictures/a.gif", "below the URL of the answer"
