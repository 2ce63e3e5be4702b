"""What an SAE is tried on: ordinary prose of several kinds, about 500 tokens. Written for this project."""

TEXT = """\
The bridge at the lower end of the town was closed for repairs that spring, and people who worked on the other side \
had to walk round by the mill. It took them twenty minutes longer. Most of them complained about it for a week and \
then forgot that it had ever been otherwise. A few even came to like the walk, because it led along the water, and \
in the morning there were herons standing in the shallows.

"You are late again," her brother said when she came in. He did not look up from his newspaper.

"The bridge," she said.

"The bridge has been closed since March. You might leave the house a little earlier."

She put her bag on the chair and laughed. "I might. But then I should have nothing to tell you."

Concrete does not simply dry; it hardens because the cement in it reacts with water. The reaction gives off heat and \
goes on for years, although most of the strength is reached in the first month. If the surface loses its water too \
quickly, in wind or in hot weather, fine cracks appear, and for this reason builders keep new concrete wet and \
covered. The same material poured in winter needs the opposite care: below five degrees the reaction almost stops.

The council met on the second Tuesday of the month. According to the minutes, eleven members were present. The \
chairman reported that the cost of the work had risen from 240,000 to 310,000, mainly on account of the price of \
steel, and that the company now expected to finish in October. After a short discussion the report was accepted with \
nine votes to two. The next item was the heating of the school.

To make the soup, cut two onions and a large carrot into small pieces and cook them slowly in butter. Add the \
potatoes, a litre of water, salt and a bay leaf. When everything is soft, take out the leaf and press the rest \
through a sieve. It is better on the second day.

I remember very little of the journey itself. We changed trains twice, and at the second station my father bought me \
an orange, the first that I had ever had to myself. I did not eat it. I held it on my knees all the way to the \
coast, and when we arrived and I saw the sea for the first time, I was so astonished that I let it fall, and it \
rolled under the seat, and nobody could find it. What I thought of the sea I no longer know. But I can still tell \
you what that orange smelled like, and how heavy it was, and that there was a small green leaf on its stem.
"""
